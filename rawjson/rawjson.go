// Package rawjson reads and edits JSON text where it lies: bytes are scanned and spliced, never decoded into maps.
//
// It has two gaits. The strict one (Validate, ValidateValue, ValidateString) is for what clients send: it accepts exactly
// what serde_json accepts as a value (depth limit, UTF-8, surrogate pairs, number range) and reports errors in the words
// and with the line and column that a Meilisearch node would use. The lax one (SkipValue, EachMember, EachElement, Get,
// Remove, ...) is for answers of nodes and for text that has already been validated: it follows the structure only and
// must not be the only check on untrusted bytes. Neither recurses, so depth never costs stack.
//
// No function keeps its arguments; slices handed to callbacks and returned by getters are parts of the input. Nothing
// here panics on bad input.
package rawjson

import (
	"errors"
	"fmt"
)

// MaxDepth is how many containers may be open at once in strictly checked text. serde_json counts down from 128 and
// refuses when it reaches zero, so 127 levels pass and the 128th is "recursion limit exceeded".
const MaxDepth = 127

// ErrStructure is returned by the lax functions when the text is not shaped like JSON at all: brackets that do not
// close, a member without a colon, a missing comma. It carries no position because it speaks of a node's answer, not of
// something a client could correct.
var ErrStructure = errors.New("malformed json")

// SyntaxError is the first error in strictly checked text. Line and Column follow serde_json: lines count from 1,
// columns are bytes since the last line feed, up to and including the byte at fault where the fault is a byte that was
// looked at, so 0 is possible just after a line feed.
type SyntaxError struct {
	Msg    string // serde_json's words, without the position
	Offset int    // bytes from the start of the text, same rule as Column
	Line   int
	Column int
}

// Error returns the message as serde_json prints it: "<msg> at line <line> column <column>".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at line %d column %d", e.Msg, e.Line, e.Column)
}

// SkipSpace returns the index of the first byte at or after i that is not JSON white space; len(data) if there is none.
func SkipSpace(data []byte, i int) int {
	for uint(i) < uint(len(data)) {
		if c := data[i]; c > ' ' || (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
			return i
		}
		i++
	}
	return i
}
