package payload

import (
	"errors"

	"github.com/miroir-search/miroir/rawjson"
)

// explain says why a body was refused, in the order and words in which Meilisearch finds out: the payload is walked
// without looking into strings and numbers first, then each document's keys are read, then (in the node: later, in the
// task) the values.
func explain(data []byte, f Format) error {
	if f == NDJSON {
		return explainStream(data)
	}
	i := rawjson.SkipSpace(data, 0)
	if i < len(data) && data[i] == '[' {
		return explainArray(data, i+1)
	}
	if i < len(data) && data[i] == '{' {
		return malformed(f, syntaxReason(rawjson.Validate(data)))
	}
	if _, err := rawjson.ValidateValue(data, i, 0); err != nil {
		return malformed(f, syntaxReason(err))
	}
	return malformed(f, notDocuments)
}

// errNone marks text that turned out to have no fault. It cannot reach a client unless the fast pass and the slow one
// disagree, which the tests hunt for.
var errNone = errors.New("no fault found")

// explainArray stands behind the opening bracket.
func explainArray(data []byte, i int) error {
	for first := true; ; first = false {
		i = rawjson.SkipSpace(data, i)
		switch {
		case i >= len(data):
			return glueError(JSON, data, i, "EOF while parsing a list")
		case data[i] == ']':
			return malformed(JSON, errNone.Error())
		case first:
		case data[i] != ',':
			return glueError(JSON, data, i, "expected `,` or `]`")
		default:
			i = rawjson.SkipSpace(data, i+1)
			if i >= len(data) {
				return glueError(JSON, data, i, "EOF while parsing a value")
			}
			if data[i] == ']' {
				return glueError(JSON, data, i, "trailing comma")
			}
		}
		end, err := explainDocument(data, i, JSON)
		if err != nil {
			return err
		}
		i = end
	}
}

// glueError is about the byte at i between two documents.
func glueError(f Format, data []byte, i int, msg string) error {
	return malformed(f, rawjson.ErrorAt(data, i, msg).Error())
}

func explainStream(data []byte) error {
	for i := rawjson.SkipSpace(data, 0); i < len(data); i = rawjson.SkipSpace(data, i) {
		end, err := explainDocument(data, i, NDJSON)
		if err != nil {
			return err
		}
		i = end
	}
	return malformed(NDJSON, errNone.Error())
}

// explainDocument checks the value at i the way a node reads one document and returns the index behind it.
func explainDocument(data []byte, i int, f Format) (int, error) {
	end, err := rawjson.ValidateRaw(data, i)
	if err != nil {
		return 0, malformed(f, syntaxReason(err))
	}
	text := data[i:end]
	if err := explainObject(text, f, data, end); err != nil {
		// A node that gives up on an element of an array still looks at what follows it, and complains about that
		// instead unless the array ends there.
		if glue := afterElement(data, end); f == JSON && glue != nil {
			return 0, glue
		}
		return 0, err
	}
	// The object itself does not count towards the depth: a node reads its members one by one.
	if _, err := rawjson.ValidateValue(data, i, -1); err != nil {
		return 0, malformed(f, syntaxReason(err))
	}
	return end, nil
}

// explainObject reads text, which ends at data[end], as an object with raw values.
func explainObject(text []byte, f Format, data []byte, end int) error {
	if text[0] == '{' {
		if err := rawjson.ValidateRawObject(text); err != nil {
			return malformed(f, syntaxReason(err))
		}
		return nil
	}
	if f == NDJSON && text[0] != '"' && text[0] != '[' && end < len(data) && !delimits(data[end]) {
		return glueError(f, data, end, "trailing characters")
	}
	if text[0] != '[' {
		if _, err := rawjson.ValidateValue(text, 0, 0); err != nil {
			return malformed(f, syntaxReason(err))
		}
	}
	return &Error{Code: CodeInternal, Message: wrongType(text, "a map")}
}

// afterElement is the complaint about data[i:] where a closing bracket should be; nil if it is there.
func afterElement(data []byte, i int) error {
	i = rawjson.SkipSpace(data, i)
	switch {
	case i >= len(data):
		return glueError(JSON, data, i, "EOF while parsing a list")
	case data[i] == ']':
		return nil
	case data[i] == ',':
		if i = rawjson.SkipSpace(data, i+1); i < len(data) && data[i] == ']' {
			return glueError(JSON, data, i, "trailing comma")
		}
	}
	return glueError(JSON, data, i, "trailing characters")
}

// delimits reports whether c may directly follow a number or word in a stream of values.
func delimits(c byte) bool {
	switch c {
	case ' ', '\n', '\t', '\r', '"', '[', ']', '{', '}', ',', ':':
		return true
	}
	return false
}
