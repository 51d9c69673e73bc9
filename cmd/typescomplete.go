package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jobline/jobline/schema"
)

// completeTyped completes the last word of a type and its input as a person writes them: TYPE
// KEY=VALUE…, of the types that are offered.
func completeTyped(offered []schema.TypeInfo, typed string) (words []string) {
	at := strings.LastIndexAny(typed, " \t") + 1
	given, word := strings.Fields(typed[:at]), typed[at:]
	if len(given) == 0 {
		for i := range offered {
			words = append(words, offered[i].Name)
		}
		return startingWith(words, word)
	}
	found := slices.IndexFunc(offered, func(t schema.TypeInfo) bool { return slices.Contains(allNames(t), given[0]) })
	var root inputSchema
	if found < 0 || json.Unmarshal(offered[found].InputSchema, &root) != nil {
		return nil
	}
	words, _ = completeMember(&root, word)
	for i := range words {
		words[i], _, _ = strings.Cut(words[i], "\t")
	}
	return slices.DeleteFunc(words, func(word string) bool {
		member, value, _ := strings.Cut(word, "=")
		return value == "" && slices.ContainsFunc(given[1:], func(other string) bool { return strings.HasPrefix(other, member+"=") })
	})
}

// printWords prints words, one a line.
func printWords(w io.Writer, words []string) error {
	for _, word := range words {
		if _, err := fmt.Fprintln(w, word); err != nil {
			return err
		}
	}
	return nil
}
