package actors

import (
	"bytes"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// reservedIn refuses a read that names a field of ours where names matter: what
// is filtered, faceted, sorted or made distinct by it would show that it exists.
func reservedIn(msg any) *api.Error {
	var body []byte
	switch m := msg.(type) {
	case *messages.Search:
		body = m.Body
	case *messages.FacetSearch:
		body = m.Body
	case *messages.Similar:
		body = m.Body
	case *messages.BrowseDocuments:
		body = m.Body
	}
	return reservedInBody(body)
}

// reservedInBody refuses a body of which any member but the query names a field
// of ours.
func reservedInBody(body []byte) *api.Error {
	if !mayNameReserved(body) {
		return nil
	}
	var found []byte
	_ = rawjson.EachMember(body, func(key, value []byte) bool {
		if !rawjson.KeyEquals(key, "q") && !rawjson.KeyEquals(key, "facetQuery") && mayNameReserved(value) {
			found = key
		}
		return found == nil
	}) // what is malformed is refused later, in a node's words
	if found == nil {
		return nil
	}
	return reservedField(string(found))
}

// mayNameReserved looks for the prefix in JSON, as it stands and behind escapes.
func mayNameReserved(text []byte) bool {
	if bytes.Contains(text, []byte(topology.ReservedPrefix)) {
		return true
	}
	if !bytes.Contains(text, []byte(`\u`)) {
		return false // no other escape stands for a character of it
	}
	for i := 0; i < len(text); i++ {
		if rawjson.KeyHasPrefix(text[i:], topology.ReservedPrefix) {
			return true
		}
		if text[i] == '\\' {
			i++ // what is behind it belongs to it
		}
	}
	return false
}

func reservedField(where string) *api.Error {
	return api.Errorf("miroir_reserved_field", "Fields that begin with `%s` belong to Miroir and cannot be named in `%s`.", topology.ReservedPrefix, where)
}
