package actors

import (
	"encoding/json"
	"slices"

	"github.com/miroir-search/miroir/rawjson"
)

// memberNames lists the names of an object's members.
func memberNames(obj []byte) []string {
	var names []string
	_ = rawjson.EachMember(obj, func(key, _ []byte) bool {
		if name, err := rawjson.Unquote(key); err == nil {
			names = append(names, name)
		}
		return true
	}) // only called with validated objects
	return names
}

// zeroCounts turns the counts of documents in a task's details into 0, as a
// failed task shows them, but for what the client sent.
func zeroCounts(details json.RawMessage) json.RawMessage {
	names := memberNames(details)
	edit := slices.Contains(names, "editedDocuments")
	for _, name := range names {
		// An edit that failed does not say how many documents it has deleted.
		if name == "indexedDocuments" || name == "deletedDocuments" && !edit || name == "editedDocuments" {
			details = rawjson.Set(nil, details, name, []byte("0"))
		}
	}
	return details
}
