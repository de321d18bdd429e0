package payload

import "fmt"

// DocumentID reads the stringified id of one stored document, for a primary key that may be a path. The text must be a
// valid JSON object.
func DocumentID(doc []byte, pk string) (string, error) {
	r := idReader{}
	r.object(doc, pk)
	if r.found == nil || r.invalid != nil || r.tooMany {
		return "", fmt.Errorf("document without a valid `%s`", pk)
	}
	return string(r.found), nil
}
