package actors

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/topology"
)

// Values are counted from no more of a document than is needed.
func TestCountingDistinctValuesReadsFewFields(t *testing.T) {
	iv := testView(t, `{}`)
	for more, want := range map[string][]string{
		"":                          {"series", topology.SeqField},
		`,"facets":[]`:              {"series", topology.SeqField},
		`,"facets":["kind","a.b"]`:  {"kind", "a.b", "series", topology.SeqField},
		`,"facets":["kind", "*" ] `: {"kind", "*", "series", topology.SeqField},
		`,"facets":["kind"],"attributesToRetrieve":["title"]`: {"kind", "series", topology.SeqField},
	} {
		body := []byte(`{"distinct":"series","page":1` + more + `}`)
		j := newDistinctJob(&searchJob{iv: iv, body: body, p: parseSearch(body, iv)})
		req := newDistinctCount(j, gathered{}, 1).count(topology.Leg{}, false)
		var got struct{ AttributesToRetrieve []string }
		if err := json.Unmarshal(req.Body, &got); err != nil || !slices.Equal(got.AttributesToRetrieve, want) {
			t.Errorf("%s\nbecame %s (%v)", body, req.Body, err)
		}
	}
}

// Each vector of a document takes a search, so that there may not be any number.
func TestADocumentWithManyVectorsHasNoSimilarOnes(t *testing.T) {
	j := &similarJob{iv: testView(t, `{}`), id: "7", q: &api.SimilarQuery{Embedder: "v"}}
	for n, refused := range map[int]bool{1: false, maxTargetVectors: false, maxTargetVectors + 1: true} {
		vectors := strings.Repeat("[1,0],", n)
		target := `{"id":7,"_vectors":{"v":{"embeddings":[` + vectors[:len(vectors)-1] + `]}}}`
		out, err := j.join([]gathered{{bodies: [][]byte{[]byte(`{"results":[` + target + `]}`)}, nodes: []topology.NodeIndex{0}}})
		switch {
		case err != nil:
			t.Fatal(err)
		case refused && (out.refused == nil || out.refused.Code != api.CodeNotSupported || !strings.Contains(out.refused.Message, "65 vectors")):
			t.Errorf("%d vectors: %+v", n, out)
		case !refused && (out.refused != nil || len(out.next.scatters()) != n):
			t.Errorf("%d vectors: %+v", n, out)
		}
	}
}
