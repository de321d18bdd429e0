package actors

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/miroir-search/miroir/rawjson"
)

// sendable is a stored document, as a node shows it with its vectors, as it is sent
// to another node: user-given vectors come along, those that a node made are left to
// the other node to make.
func sendable(doc []byte) []byte {
	vectors, ok := rawjson.Get(doc, "_vectors")
	if !ok {
		return doc
	}
	drop := func(key []byte) bool { return rawjson.KeyEquals(key, "_vectors") }
	if len(vectors) == 0 || vectors[0] != '{' {
		return doc
	}
	made := map[string]bool{}
	given := 0
	err := rawjson.EachMember(vectors, func(key, value []byte) bool {
		if madeByNode(value) {
			made[string(key)] = true
		} else {
			given++
		}
		return true
	})
	switch {
	case err != nil || len(made) == 0 && given > 0:
		return doc
	case given == 0:
		return rawjson.Remove(nil, doc, drop)
	}
	kept := rawjson.Remove(nil, vectors, func(key []byte) bool { return made[string(key)] })
	return rawjson.Set(nil, doc, "_vectors", kept)
}

// madeByNode reports whether a member of _vectors is what the node's embedder made.
func madeByNode(value []byte) bool {
	if len(value) == 0 || value[0] != '{' {
		return false
	}
	again, ok := rawjson.Get(value, "regenerate")
	return ok && string(again) == "true"
}

// sameDocument reports whether two stored documents are equal in content: the same
// members with the same number text, in whatever order.
func sameDocument(a, b []byte) (bool, error) {
	if bytes.Equal(a, b) {
		return true, nil
	}
	x, err := canonical(sendable(a))
	if err != nil {
		return false, err
	}
	y, err := canonical(sendable(b))
	if err != nil {
		return false, err
	}
	return bytes.Equal(x, y), nil
}

// canonical writes a JSON value with keys sorted and number text kept.
func canonical(raw []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("read a document: %w", err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write a document: %w", err)
	}
	return out, nil
}
