// Package strict is what all readers of cluster files share, whatever the
// format: files read with limits and refused when they are no text, YAML parsed
// with limits (depth, aliases), decoding into Go types that goes on after an
// error and reports everything, and the gathering of findings, each with its
// place in the file and no secret in its excerpt.
//
// It knows no format: package config decodes our own with it, and the importers
// (config/kubekey, config/ansible) those of other tools.
package strict
