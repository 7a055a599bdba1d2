package protocol

// FileQuery asks for one file.
type FileQuery struct {
	Path string `json:"path"`
	// Pattern tells that Path is one, as of a shell: every file that it matches (at
	// most MaxMatches) is described under its own path, unless it is asked for by that.
	Pattern bool `json:"pattern,omitempty"`
	// Content asks for the text too (at most MaxContent bytes, else it is
	// left out). Never set it for a file that holds a secret.
	Content bool `json:"content,omitempty"`
	// Digest asks for the sha256 of the content.
	Digest bool `json:"digest,omitempty"`
	// Certificate asks for the certificates found in the file as PEM
	// (certificates only, never keys); it understands PEM files and the
	// client certificate inside a kubeconfig.
	Certificate bool `json:"certificate,omitempty"`
	// Key is the path of the private key that must belong to the first of the
	// certificates; in a kubeconfig, the file itself. Whether it does is told,
	// the key is not.
	Key string `json:"key,omitempty"`
}

// MaxMatches is how many files a pattern describes at most.
const MaxMatches = 256

// File describes one path.
type File struct {
	Exists  bool   `json:"exists"`
	Dir     bool   `json:"dir,omitempty"`
	Size    int64  `json:"size,omitempty"`
	Mode    uint32 `json:"mode,omitempty"` // permission bits
	UID     int    `json:"uid"`
	GID     int    `json:"gid"`
	SHA256  string `json:"sha256,omitempty"` // hex
	Content string `json:"content,omitempty"`
	// Certificates is PEM, leaf first, when asked for.
	Certificates string `json:"certificates,omitempty"`
	// KeyError is why the key that was asked about does not belong to the first
	// certificate; empty where it does, and where there is no certificate.
	KeyError string `json:"keyError,omitempty"`
}

// Holds tells a file from none and from an empty one, which a power cut can
// leave of what was written by a program that does not sync.
func (f File) Holds() bool { return f.Exists && f.Size > 0 }

// ReadRequest asks for a file's bytes.
type ReadRequest struct {
	Path string `json:"path"`
}

// WriteRequest puts the request's body at Path: to a temporary name beside
// it, synced, then renamed over it, and only when content, mode or owner differ.
// Missing parent directories are made with mode 0755 (0700 where Mode
// has no bits for others or the group).
type WriteRequest struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"` // permission bits
	UID  int    `json:"uid,omitempty"`
	GID  int    `json:"gid,omitempty"`
	// SHA256, when set, is what the body must hash to.
	SHA256 string `json:"sha256,omitempty"`
}

// WriteReply tells whether anything changed.
type WriteReply struct {
	Changed bool   `json:"changed"`
	SHA256  string `json:"sha256"`
}

// RemoveRequest removes Path; a missing one is no error.
type RemoveRequest struct {
	Path      string `json:"path"`
	Recursive bool   `json:"recursive,omitempty"`
	// Unmount also lazily unmounts every mount at or below Path first.
	Unmount bool `json:"unmount,omitempty"`
	// Empty removes what is in the directory Path, and Path itself unless it
	// is a mount point or a symbolic link: those are the host's own. Every
	// mount below it is lazily unmounted first; while one is left, nothing is
	// removed, so that no other file system's files are.
	Empty bool `json:"empty,omitempty"`
	// IfEmpty removes Path only if it is an empty directory and no mount point.
	IfEmpty bool `json:"ifEmpty,omitempty"`
}

// MkdirRequest makes Path and its parents and sets Path's mode.
type MkdirRequest struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
}

// SyncRequest has files, and all files below folders, on disk before it is
// answered, with the names by which they are found. A missing path is no error.
type SyncRequest struct {
	Paths []string `json:"paths"`
}

// ChangedReply tells whether anything changed.
type ChangedReply struct {
	Changed bool `json:"changed"`
}

// Records of a tar entry in an unpack stream, as PAX records. An entry's name
// is the absolute path it is written to; its mode is the header's mode.
const (
	PAXSHA256   = "QUORATE.sha256"   // hex sha256 of the decoded content
	PAXEncoding = "QUORATE.encoding" // "zstd" when the entry's bytes are compressed
)

// UnpackReply lists the paths whose content changed.
type UnpackReply struct {
	Changed []string `json:"changed,omitempty"`
}
