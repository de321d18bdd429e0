package payload

import (
	"fmt"

	"github.com/miroir-search/miroir/rawjson"
)

// ParseIDs reads the body of a delete-batch request: a JSON array of any values. Strings stand for themselves, anything
// else for its JSON text as serde_json prints it (1 is "1", 1e2 is "100.0"); nothing is checked to be a possible id,
// because an id that cannot exist is simply not found. Errors are *Error: missing_payload, malformed_payload, or
// bad_request for JSON that is not an array. The message of malformed_payload differs from that of document bodies.
func ParseIDs(data []byte) ([]string, error) {
	if len(data) == 0 {
		return nil, &Error{Code: CodeMissingPayload, Message: "A json payload is missing."}
	}
	i := rawjson.SkipSpace(data, 0)
	if i == len(data) || data[i] == '[' {
		if err := rawjson.Validate(data); err != nil {
			return nil, malformedIDs(err)
		}
		return readIDs(data)
	}
	end := i + 1
	if data[i] != '{' { // an object is refused at sight
		var err error
		if end, err = rawjson.ValidateValue(data, i, 0); err != nil {
			return nil, malformedIDs(err)
		}
	}
	return nil, &Error{Code: CodeBadRequest, Message: fmt.Sprintf("Json deserialize error: %s",
		wrongTypeAt(data, i, end, "a sequence"))}
}

func malformedIDs(err error) *Error {
	return &Error{Code: CodeMalformedPayload, Message: fmt.Sprintf(
		"The json payload provided is malformed. `%s`.", syntaxReason(err))}
}

func readIDs(data []byte) ([]string, error) {
	ids := []string{}
	err := rawjson.EachElement(data, func(v []byte) bool {
		if v[0] == '"' {
			s, err := rawjson.AppendUnquoted(nil, v)
			if err == nil { // always: the array is valid
				ids = append(ids, string(s))
			}
			return true
		}
		ids = append(ids, string(appendNormal(nil, v)))
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("read the ids to delete: %w", err)
	}
	return ids, nil
}
