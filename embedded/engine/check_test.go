package engine

import "testing"

// What one document asks for is not taken for the wish of the next.
func TestACheckerForgetsWhatTheLastDocumentAsked(t *testing.T) {
	c := NewChecker(Settings{Embedders: map[string]Embedder{"e": {Dimensions: 2}}}, "e")
	for _, d := range []struct {
		doc             string
		lacking, asking int
	}{
		{`{"id":1,"_vectors":{"e":{"regenerate":true}}}`, 1, 1},
		{`{"id":2}`, 1, 0},
		{`{"id":3,"_vectors":{"e":[1,2]}}`, 0, 0},
		{`{"id":4,"_vectors":{"e":{"regenerate":true}}}`, 1, 1},
		{`{"id":5,"_vectors":1}`, 1, 0},
	} {
		if f := c.Check("x", []byte(d.doc)); len(f.Lacking) != d.lacking || len(f.Asking) != d.asking {
			t.Errorf("%s lacks %v and asks for %v", d.doc, f.Lacking, f.Asking)
		}
	}
}
