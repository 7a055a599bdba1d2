package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// describeFiles describes each path; a missing one is described as missing.
func (a *Agent) describeFiles(queries []protocol.FileQuery) map[string]protocol.File {
	queries = a.matched(queries)
	files := make(map[string]protocol.File, len(queries))
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4) // digests of large binaries are the cost
	for _, query := range queries {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			file := a.describeFile(query)
			mu.Lock()
			files[query.Path] = file
			mu.Unlock()
		})
	}
	wg.Wait()
	return files
}

// matched puts the files that patterns match in their place.
func (a *Agent) matched(queries []protocol.FileQuery) []protocol.FileQuery {
	var out []protocol.FileQuery
	asked := map[string]bool{}
	for _, q := range queries {
		if !q.Pattern {
			out, asked[q.Path] = append(out, q), true
		}
	}
	for _, q := range queries {
		pattern, err := a.path(q.Path)
		if !q.Pattern || err != nil {
			continue
		}
		found, _ := filepath.Glob(pattern) // a pattern that is none matches nothing
		for _, path := range found[:min(len(found), protocol.MaxMatches)] {
			name := path
			if a.root != "" && a.root != "/" {
				name = strings.TrimPrefix(path, filepath.Clean(a.root))
			}
			if !asked[name] {
				asked[name] = true
				out = append(out, protocol.FileQuery{Path: name, Content: q.Content, Digest: q.Digest})
			}
		}
	}
	return out
}

func (a *Agent) describeFile(query protocol.FileQuery) protocol.File {
	path, err := a.path(query.Path)
	if err != nil {
		return protocol.File{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return protocol.File{}
	}
	file := protocol.File{Exists: true, Dir: info.IsDir(), Size: info.Size(), Mode: uint32(info.Mode().Perm())}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		file.UID, file.GID = int(stat.Uid), int(stat.Gid)
	}
	if !info.Mode().IsRegular() {
		return file
	}
	if query.Digest {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			file.SHA256, _ = digestFile(real)
		}
	}
	if (query.Content || query.Certificate) && info.Size() <= protocol.MaxContent {
		content, err := os.ReadFile(path)
		if err != nil || len(content) > protocol.MaxContent {
			return file
		}
		if query.Content {
			file.Content = string(content)
		}
		if query.Certificate {
			file.Certificates = a.certificates(content)
			if query.Key != "" && file.Certificates != "" {
				file.KeyError = a.keyError(file.Certificates, query.Key)
			}
		}
	}
	return file
}

// listDirs maps each directory that exists to its sorted names.
func (a *Agent) listDirs(names []string) map[string][]string {
	dirs := map[string][]string{}
	for _, name := range names {
		path, err := a.path(name)
		if err != nil {
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			continue
		}
		listed := make([]string, 0, len(entries))
		for _, entry := range entries {
			listed = append(listed, entry.Name())
		}
		dirs[name] = listed
	}
	return dirs
}

// measureDisks measures the file systems that paths are, or would be, on, and
// tells whether the root is read-only.
func (a *Agent) measureDisks(names []string) (map[string]protocol.Disk, bool) {
	mounts, _ := readMounts()
	disks := map[string]protocol.Disk{}
	for _, name := range names {
		if path, err := a.path(name); err == nil {
			if disk, ok := measureDisk(path, mounts); ok {
				disks[name] = disk
			}
		}
	}
	root, _ := measureDisk("/", mounts)
	return disks, root.ReadOnly
}

func measureDisk(path string, mounts []mount) (protocol.Disk, bool) {
	const readOnly = 1 // ST_RDONLY
	path = existingParent(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(path, &stat); err != nil {
		return protocol.Disk{}, false
	}
	disk := protocol.Disk{
		Size:      int64(stat.Blocks) * stat.Bsize,
		Available: int64(stat.Bavail) * stat.Bsize,
		ReadOnly:  stat.Flags&readOnly != 0,
	}
	// The last of several mounts at one point is the one that is seen.
	for _, m := range slices.Backward(mounts) {
		if len(m.point) > len(disk.MountPoint) && (m.point == "/" || path == m.point || strings.HasPrefix(path, m.point+"/")) {
			disk.MountPoint, disk.Type = m.point, m.kind
		}
	}
	return disk, true
}
