package cmd

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// bashFunctions stand in for the two functions of the package bash-completion that the
// script of cobra calls. Many systems do not have that package, and then each Tab would
// print an error. The first sets the words of the command line. What bash has split at = and
// : is one word again, as the package does with -n =:. The second completes folders, for
// which alone it is called. They need no newer bash than 3.2, which macOS has.
const bashFunctions = `
if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref()
    {
        local rest=$COMP_LINE i word last=-1 apart
        words=()
        for i in "${!COMP_WORDS[@]}"; do
            word=${COMP_WORDS[i]}
            apart=${rest%%[![:space:]]*}
            rest=${rest#"$apart"}
            rest=${rest#"$word"}
            if [[ $last -lt 0 || -n $apart || ! ( $word =~ ^[=:]+$ || ${COMP_WORDS[i-1]} =~ ^[=:]+$ ) ]]; then
                last=$((last + 1))
                words[last]=$word
            else
                words[last]+=$word
            fi
            if [[ $i -eq $COMP_CWORD ]]; then
                cword=$last
            fi
        done
        cur=${words[cword]}
        prev=
        if [[ $cword -gt 0 ]]; then
            prev=${words[cword-1]}
        fi
    }
fi
if ! declare -F _filedir >/dev/null; then
    _filedir()
    {
        local name
        compopt -o filenames 2>/dev/null
        while IFS= read -r name; do
            COMPREPLY+=("$name")
        done < <(compgen -d -- "$cur")
    }
fi
`

// alsoPlainBash makes the command that prints the completion for bash print what works
// without the package bash-completion, too.
func alsoPlainBash(c *cobra.Command) {
	c.Long = strings.Replace(c.Long, "This script depends on the 'bash-completion' package.\n"+
		"If it is not installed already, you can install it via your OS's package manager.\n", "It needs no other package.\n", 1)
	script := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := io.WriteString(c.Root().OutOrStdout(), bashFunctions); err != nil {
			return err
		}
		return script(c, args)
	}
}
