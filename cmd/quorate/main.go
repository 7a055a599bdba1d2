// Command quorate builds, proves and looks after highly available Kubernetes
// clusters on plain Linux servers over SSH.
package main

import (
	"os"

	"github.com/quorate/quorate/internal/cli"
)

func main() { os.Exit(cli.Main()) }
