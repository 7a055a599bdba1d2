package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// outputFlag is --output of a command: the first of the words unless another is given.
// What is none of them is wrong usage, before the command begins. The word fileOutput is
// for a file's name.
func outputFlag(cmd *cobra.Command, output *string, usage string, words ...string) {
	*output = words[0]
	cmd.Flags().VarP(&outputValue{output, words}, "output", "o", usage)
}

// fileOutput stands for the names of files among the words of --output.
const fileOutput = "FILE.json"

// outputValue is a pflag.Value.
type outputValue struct {
	value *string
	words []string
}

func (v *outputValue) String() string { return *v.value }

// Type stands for the value in the flag's help.
func (v *outputValue) Type() string { return strings.Join(v.words, "|") }

// Set takes one of the words.
func (v *outputValue) Set(text string) error {
	if !slices.Contains(v.words, text) && !(slices.Contains(v.words, fileOutput) && namesFile(text)) {
		last := len(v.words) - 1
		return fmt.Errorf("it is %s or %s", strings.Join(v.words[:last], ", "), v.words[last])
	}
	*v.value = text
	return nil
}
