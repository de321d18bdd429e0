package payload

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/miroir-search/miroir/rawjson"
)

// Meilisearch error codes that this package uses.
const (
	CodeBadRequest         = "bad_request"
	CodeInternal           = "internal"
	CodeInvalidDocumentID  = "invalid_document_id"
	CodeMalformedPayload   = "malformed_payload"
	CodeMissingDocumentID  = "missing_document_id"
	CodeMissingPayload     = "missing_payload"
	CodeMultipleCandidates = "index_primary_key_multiple_candidates_found"
	CodeNoCandidate        = "index_primary_key_no_candidate_found"
	CodePayloadTooLarge    = "payload_too_large"
)

// Error is an error a Meilisearch node would give for the same body, in its words.
type Error struct {
	Code    string // Meilisearch's error code
	Message string // the complete text for the client
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// ErrorCode returns Meilisearch's code.
func (e *Error) ErrorCode() string { return e.Code }

// ReservedFieldError says that a client's document has a field whose name is kept for the proxy.
type ReservedFieldError struct {
	Field string // the name, unescaped
	Index int    // position of the document in the payload, from 0; 0 for a CSV header
}

// Error names the field and the document.
func (e *ReservedFieldError) Error() string {
	return fmt.Sprintf("document %d: the field name `%s` is reserved: names starting with `%s` cannot be used in documents",
		e.Index, e.Field, ReservedPrefix)
}

// NoCandidateError says that no field of the first document can be the primary key.
type NoCandidateError struct{}

// Error returns Meilisearch's text.
func (*NoCandidateError) Error() string {
	return "The primary key inference failed as the engine did not find any field ending with `id` in its name. " +
		"Please specify the primary key manually using the `primaryKey` query parameter."
}

// ErrorCode returns Meilisearch's code.
func (*NoCandidateError) ErrorCode() string { return CodeNoCandidate }

// MultipleCandidatesError says that several fields of the first document could be the primary key.
type MultipleCandidatesError struct {
	Candidates []string // two or more field names in byte order
}

// Error returns Meilisearch's text, which names the first two.
func (e *MultipleCandidatesError) Error() string {
	var first, second string
	if len(e.Candidates) > 1 {
		first, second = e.Candidates[0], e.Candidates[1]
	}
	return fmt.Sprintf("The primary key inference failed as the engine found %d fields ending with `id` in their names: "+
		"'%s' and '%s'. Please specify the primary key manually using the `primaryKey` query parameter.",
		len(e.Candidates), first, second)
}

// ErrorCode returns Meilisearch's code.
func (*MultipleCandidatesError) ErrorCode() string { return CodeMultipleCandidates }

func missingPayload(f Format) *Error {
	return &Error{Code: CodeMissingPayload, Message: fmt.Sprintf("A %s payload is missing.", f)}
}

func payloadTooLarge() *Error {
	return &Error{Code: CodePayloadTooLarge, Message: "The provided payload reached the size limit. " +
		"The maximum accepted payload size is 2 GiB."}
}

const notDocuments = "data are neither an object nor a list of objects"

// malformed is the answer to a JSON or NDJSON body that is not well formed. Long reasons are elided in the middle.
func malformed(f Format, reason string) *Error {
	const head, tail, dots = 50, 85, "..."
	if len(reason) > head+tail+len(dots) {
		from, to := head, len(reason)-tail
		for !utf8.RuneStart(reason[from]) {
			from--
		}
		for !utf8.RuneStart(reason[to]) {
			to++
		}
		reason = reason[:from] + dots + reason[to:]
	}
	return &Error{Code: CodeMalformedPayload, Message: fmt.Sprintf(
		"The `%s` payload provided is malformed. `Couldn't serialize document value: %s`.", f, reason)}
}

// malformedCSV is the answer to a CSV body; its form differs from the other two.
func malformedCSV(reason string) *Error {
	return &Error{Code: CodeMalformedPayload, Message: fmt.Sprintf(
		"The `csv` payload provided is malformed: `%s`.", reason)}
}

// wrongType words serde's complaint about text, one valid value without white space around it, where expected was
// needed.
func wrongType(text []byte, expected string) string {
	return wrongTypeAt(text, 0, len(text), expected)
}

// wrongTypeAt is wrongType for the value in data[from:to]. The position is where serde stands when it finds out: behind
// scalars, before containers.
func wrongTypeAt(data []byte, from, to int, expected string) string {
	text := data[from:to]
	var found string
	switch text[0] {
	case '[':
		found, to = "sequence", from
	case '{':
		found, to = "map", from
	case 'n':
		found = "null"
	case 't', 'f':
		found = "boolean `" + string(text) + "`"
	case '"':
		s, err := rawjson.AppendUnquoted(nil, text)
		if err != nil {
			s = text // cannot be: the text is valid
		}
		found = "string " + rustQuote(string(s))
	default:
		kind := "floating point `"
		if isInteger(text) {
			kind = "integer `"
		}
		found = kind + string(appendNumber(nil, text)) + "`"
	}
	return rawjson.ErrorAt(data, to-1, fmt.Sprintf("invalid type: %s, expected %s", found, expected)).Error()
}

// rustQuote quotes s as Rust's {:?} does.
func rustQuote(s string) string {
	var sb strings.Builder
	sb.WriteByte('"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			sb.WriteByte('\\')
			sb.WriteRune(r)
		case '\n':
			sb.WriteString(`\n`)
		case '\r':
			sb.WriteString(`\r`)
		case '\t':
			sb.WriteString(`\t`)
		case 0:
			sb.WriteString(`\0`)
		default:
			if unicode.IsPrint(r) && !unicode.Is(unicode.Mn, r) {
				sb.WriteRune(r)
			} else {
				sb.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + `}`)
			}
		}
	}
	sb.WriteByte('"')
	return sb.String()
}

// syntaxReason is the text of a rawjson error as it stands inside a message.
func syntaxReason(err error) string {
	var se *rawjson.SyntaxError
	if errors.As(err, &se) {
		return se.Error()
	}
	return err.Error()
}
