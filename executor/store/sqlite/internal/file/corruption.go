package file

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// What to do with a file that is damaged, beside putting a backup in its place.
const (
	AdviceInspect   = "see what can be read with jobline store check and jobline store export"
	AdviceUseOutput = "go on with what was printed until here"
)

// ExplainCorruption returns err. If err is about a damaged file, it adds what to do.
func ExplainCorruption(name string, err error, also string) error {
	if e, ok := Corruption(err); ok {
		return fmt.Errorf("the store %s is damaged: %w; put a backup in its place, or %s", name, e, also)
	}
	return err
}

// Corruption is the code with which SQLite reports a corrupt file, without the
// statement that found it.
func Corruption(err error) (sqlite3.ErrorCode, bool) {
	code, _ := errors.AsType[sqlite3.ErrorCode](err)
	return code, code == sqlite3.CORRUPT || code == sqlite3.NOTADB
}
