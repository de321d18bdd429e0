package embedded_test

import (
	"testing"

	"github.com/miroir-search/miroir/embedded"
)

// A client that asks for vectors finds the member also in documents that have none.
func TestVectorsAreShownWhereThereAreNone(t *testing.T) {
	c := start(t, embedded.Options{})
	c.done(c.task("POST", "/indexes/films/documents", `[{"id":1,"title":"Metropolis"}]`), "succeeded", "")
	c.want("GET", "/indexes/films/documents/1?retrieveVectors=true", "", 200, `{"id":1,"title":"Metropolis","_vectors":{}}`)
	c.want("GET", "/indexes/films/documents/1", "", 200, `{"id":1,"title":"Metropolis"}`)
	c.want("GET", "/indexes/films/documents?fields=id&retrieveVectors=true", "", 200,
		`{"results":[{"id":1,"_vectors":{}}],"offset":0,"limit":20,"total":1}`)
}
