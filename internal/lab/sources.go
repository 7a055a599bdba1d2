package lab

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// aptTarget is one package index of the machine's own apt configuration.
type aptTarget struct {
	uri, release, component string
	sourceFile              string // where the configuration says so
}

// parseIndexTargets reads the output of `apt-get indextargets --no-release-info 'Created-By: Packages'`.
func parseIndexTargets(output string) []aptTarget {
	var targets []aptTarget
	for stanza := range strings.SplitSeq(output, "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(stanza) {
			if key, value, found := strings.Cut(strings.TrimSpace(line), ": "); found {
				fields[key] = value
			}
		}
		file, _, _ := strings.Cut(fields["Sourcesentry"], ":")
		target := aptTarget{fields["Repo-URI"], fields["Release"], fields["Component"], file}
		if target.uri != "" && target.release != "" && !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
	}
	return targets
}

// debLines turns the targets that belong to the distribution's own release
// into one-line apt sources: the release, its updates and its security fixes,
// main component. Other people's repositories on the machine stay out.
// keyring says with which keys a source file's repositories are signed, "" if
// apt's own keys serve.
func debLines(targets []aptTarget, codename string, keyring func(sourceFile string) string) ([]string, error) {
	var lines []string
	base := false
	for _, target := range targets {
		release, _, _ := strings.Cut(target.release, "/")
		if target.component != "main" || release != codename && release != codename+"-updates" && release != codename+"-security" {
			continue
		}
		base = base || release == codename
		options := ""
		if keys := keyring(target.sourceFile); keys != "" {
			options = "[signed-by=" + keys + "] "
		}
		line := fmt.Sprintf("deb %s%s %s main", options, target.uri, target.release)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if !base {
		return nil, fmt.Errorf("this machine's apt sources offer no %s main; add the distribution's repository to /etc/apt/sources.list and run apt-get update", codename)
	}
	return lines, nil
}

// sourceKeyring finds the key file that an apt source file names, in either
// of its two formats. A file that names several, or holds the key itself,
// leaves the choice to apt's own keys.
func sourceKeyring(sourceFile string) string {
	file, err := os.Open(sourceFile)
	if err != nil {
		return ""
	}
	defer file.Close()
	var found []string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		line := strings.TrimSpace(scanner.Text())
		var keys string
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, "Signed-By") {
			keys = strings.TrimSpace(value)
		} else if _, rest, ok := strings.Cut(line, "signed-by="); ok && strings.HasPrefix(line, "deb ") {
			keys = rest
			if end := strings.IndexAny(rest, "] "); end >= 0 {
				keys = rest[:end]
			}
		}
		if filepath.IsAbs(keys) && !strings.ContainsAny(keys, " ,") && !slices.Contains(found, keys) {
			found = append(found, keys)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}
