package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"testing"
)

func put(id, doc string) Op { return Op{Kind: OpPut, ID: id, Doc: json.RawMessage(doc)} }

func stored(t testing.TB, x *Index) string {
	t.Helper()
	docs, total, err := x.Documents(&BrowseQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, d := range docs {
		b.Write(d)
	}
	return fmt.Sprintf("%d %s", total, b.String())
}

func TestBatchesChangeDocuments(t *testing.T) {
	for _, c := range []struct {
		name    string
		ops     []Op
		want    string
		results []OpResult
	}{
		{"documents come in the order of their first appearance",
			[]Op{put("b", `{"id":"b"}`), put("a", `{"id":"a"}`), put("b", `{"id":"b","x":1}`)},
			`2 {"id":"b","x":1}{"id":"a"}`, []OpResult{{}, {}, {Existed: true}}},
		{"an update merges top-level members only",
			[]Op{put("a", `{"id":"a","o":{"p":1,"q":2},"k":1}`), {Kind: OpUpdate, ID: "a", Doc: []byte(`{"id":"a","o":{"p":3}}`)}},
			`1 {"id":"a","o":{"p":3},"k":1}`, []OpResult{{}, {Existed: true}}},
		{"a deleted document is gone and counted once",
			[]Op{put("a", `{"id":"a"}`), {Kind: OpDelete, ID: "a"}, {Kind: OpDelete, ID: "a"}},
			`0 `, []OpResult{{}, {Existed: true, Deleted: 1}, {}}},
		{"clear counts what was there",
			[]Op{put("a", `{"id":"a"}`), put("b", `{"id":"b"}`), {Kind: OpClear}, put("c", `{"id":"c"}`)},
			`1 {"id":"c"}`, []OpResult{{}, {}, {Deleted: 2}, {}}},
		{"creation can be skipped",
			[]Op{{Kind: OpPut, ID: "a", Doc: []byte(`{"id":"a"}`), SkipCreation: true}, put("b", `{"id":"b"}`), {Kind: OpUpdate, ID: "b", Doc: []byte(`{"x":1}`), SkipCreation: true}},
			`1 {"id":"b","x":1}`, []OpResult{{}, {}, {Existed: true}}},
		{"members are ordered as first seen in the index",
			[]Op{put("a", `{"id":"a","x":1,"y":2}`), put("b", `{"y":1,"id":"b","x":2}`)},
			`2 {"id":"a","x":1,"y":2}{"id":"b","x":2,"y":1}`, []OpResult{{}, {}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := New(DefaultSettings())
			a := apply(t, x, c.ops...)
			if got := stored(t, x); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if fmt.Sprint(a.Results) != fmt.Sprint(c.results) {
				t.Errorf("results %v, want %v", a.Results, c.results)
			}
		})
	}
}

func TestFreedPlacesAreTakenAgain(t *testing.T) {
	x := newIndex(t, nil, `{"id":1}`, `{"id":2}`, `{"id":3}`)
	apply(t, x, Op{Kind: OpDelete, ID: "1"})
	apply(t, x, put("4", `{"id":4}`), put("5", `{"id":5}`))
	if got, want := stored(t, x), `4 {"id":4}{"id":2}{"id":3}{"id":5}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestABadDocumentChangesNothing(t *testing.T) {
	geo := func(s *Settings) { s.SortableAttributes = []string{"_geo"} }
	vec := func(s *Settings) { s.Embedders = map[string]Embedder{"e": {Dimensions: 2}} }
	for _, c := range []struct {
		name, doc, code, message string
		change                   func(*Settings)
	}{
		{"no object", `[1]`, "malformed_payload", "no JSON object", nil},
		{"_geo is text", `{"_geo":"x"}`, "invalid_document_geo_field", "is not an object", geo},
		{"no longitude", `{"_geo":{"lat":1}}`, "invalid_document_geo_field", "Could not find longitude in the document with the id: `\"bad\"`", geo},
		{"bad latitude", `{"_geo":{"lat":"x","lng":1}}`, "invalid_document_geo_field", "Could not parse latitude", geo},
		{"more in _geo", `{"_geo":{"lat":1,"lng":1,"z":2}}`, "invalid_document_geo_field", "unexpected fields: `{\"z\":2}`", geo},
		{"no vector", `{"a":1}`, "vector_embedding_error", "no vectors provided for document `bad`", vec},
		{"wrong dimensions", `{"_vectors":{"e":[1,2,3]}}`, "invalid_vector_dimensions", "embedding #0 has dimensions 3", vec},
		{"vectors are no object", `{"_vectors":[1]}`, "internal", "invalid type: sequence, expected a map at line 1 column 0", vec},
		{"a vector of text", `{"_vectors":{"e":"x"}}`, "invalid_vectors_type", "Expected `._vectors.e` to be an array of floats, an array of arrays of floats, or an object with at least the field `regenerate`, but got the string `x`", vec},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := DefaultSettings()
			if c.change != nil {
				c.change(&s)
			}
			x := New(s)
			good := `{"id":"g","_geo":{"lat":1,"lng":2},"_vectors":{"e":[1,2]}}`
			_, err := x.Apply(&Batch{Ops: []Op{put("g", good), put("bad", c.doc)}})
			var e *Error
			if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.message) {
				t.Fatalf("got %v", err)
			}
			if x.Len() != 0 {
				t.Errorf("%d documents after a failed batch", x.Len())
			}
			apply(t, x, put("g", good)) // and the index goes on working
			if x.Len() != 1 {
				t.Errorf("%d documents", x.Len())
			}
		})
	}
}

// What a document says without embeddings takes none away, but for null.
func TestVectorsThatADocumentSaysNothingAbout(t *testing.T) {
	s := DefaultSettings()
	s.Embedders = map[string]Embedder{"e": {Dimensions: 2}}
	for said, want := range map[string]string{
		`{"regenerate":false}`:                   `[[1.0,2.0]]`,
		`{"regenerate":false,"embeddings":null}`: `[[1.0,2.0]]`,
		`{"regenerate":false,"embeddings":[]}`:   `[]`,
		`null`:                                   `[]`,
	} {
		x := New(s)
		apply(t, x, put("1", `{"id":1,"_vectors":{"e":[1,2]}}`))
		apply(t, x, put("1", `{"id":1,"_vectors":{"e":`+said+`}}`), put("2", `{"id":2,"_vectors":{"e":`+said+`}}`))
		for id, want := range map[string]string{"1": want, "2": `[]`} {
			got, _ := x.View(id, nil, true)
			if want := `{"id":` + id + `,"_vectors":{"e":{"embeddings":` + want + `,"regenerate":false}}}`; string(got) != want {
				t.Errorf("%s: got %s, want %s", said, got, want)
			}
		}
	}
}

func TestVectorsOutliveReplacement(t *testing.T) {
	s := DefaultSettings()
	s.Embedders = map[string]Embedder{"e": {Dimensions: 2}}
	x := New(s)
	apply(t, x, put("1", `{"id":1,"_vectors":{"e":[1,2],"other":[9]}}`), put("2", `{"id":2,"_vectors":{"e":null}}`))
	apply(t, x, put("1", `{"id":1,"a":"b"}`))
	got, _ := x.View("1", nil, true)
	if want := `{"id":1,"a":"b","_vectors":{"e":{"embeddings":[[1.0,2.0]],"regenerate":false}}}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	v, d := x.Embeddings()
	if v != 1 || d != 1 {
		t.Errorf("%d vectors of %d documents", v, d)
	}
	without := DefaultSettings()
	apply(t, x, Op{Kind: OpConfigure, Settings: &without})
	got, _ = x.View("1", nil, true)
	if want := `{"id":1,"a":"b","_vectors":{"e":{"embeddings":[[1.0,2.0]],"regenerate":false}}}`; string(got) != want {
		t.Errorf("after the embedder went: got %s, want %s", got, want)
	}
	apply(t, x, Op{Kind: OpConfigure, Settings: &s}, put("2", `{"id":2,"_vectors":{"e":[0,1]}}`))
	if v, d := x.Embeddings(); v != 2 || d != 2 {
		t.Errorf("after the embedder came back: %d vectors of %d documents", v, d)
	}
}

func TestDocumentsCanBeRestored(t *testing.T) {
	s := DefaultSettings()
	s.Embedders = map[string]Embedder{"e": {Dimensions: 2}}
	x := New(s)
	apply(t, x, put("1", `{"id":1,"_vectors":{"e":{"embeddings":[[1,0.5]],"regenerate":true},"o":[1]}}`), put("2", `{"id":2,"_vectors":{"e":null}}`))
	again := New(s)
	for _, id := range []string{"1", "2"} {
		doc, _ := x.Document(id)
		apply(t, again, put(id, string(doc)))
		if got, _ := again.Document(id); string(got) != string(doc) {
			t.Errorf("%s became %s", doc, got)
		}
	}
	if _, err := again.Apply(&Batch{Ops: []Op{put("3", `{}`)}}); err == nil {
		t.Error("a document without vectors was taken")
	}
	if _, err := again.Apply(&Batch{Ops: []Op{put("3", `{}`)}, Restore: true}); err != nil {
		t.Errorf("not restored: %v", err)
	}
}

func TestCountsFollowTheDocuments(t *testing.T) {
	x := newIndex(t, nil, `{"id":1,"a":{"b":1},"_geo":{"lat":1,"lng":1},"_vectors":{"x":[1]}}`, `{"id":2,"c":null}`)
	if got := fmt.Sprint(x.FieldDistribution()); got != "map[_geo:1 a:1 c:1 id:2]" {
		t.Errorf("distribution %s", got)
	}
	size := x.RawSize()
	apply(t, x, Op{Kind: OpDelete, ID: "2"})
	if got := fmt.Sprint(x.FieldDistribution()); got != "map[_geo:1 a:1 id:1]" || x.RawSize() >= size {
		t.Errorf("distribution %s, size %d", got, x.RawSize())
	}
}

// TestIncrementalEqualsFresh applies random batches and compares the index with
// one that was made from the documents that are left.
func TestIncrementalEqualsFresh(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	words := strings.Fields("red green blue house cat dog sun flower sunflower big small old new house's lord rings star wars")
	doc := func(id int) string {
		var w []string
		for range 2 + rng.Intn(5) {
			w = append(w, words[rng.Intn(len(words))])
		}
		return fmt.Sprintf(`{"id":%d,"t":"%s","n":%d,"tags":["%s","%s"]}`, id, strings.Join(w, " "), rng.Intn(6), words[rng.Intn(5)], words[rng.Intn(5)])
	}
	s := DefaultSettings()
	s.FilterableAttributes = []FilterableRule{PlainFilterable("n"), PlainFilterable("tags")}
	s.SortableAttributes = []string{"n"}
	x := New(s)
	for range 60 {
		var ops []Op
		for range 1 + rng.Intn(8) {
			id := rng.Intn(40)
			if rng.Intn(3) == 0 {
				ops = append(ops, Op{Kind: OpDelete, ID: fmt.Sprint(id)})
			} else {
				ops = append(ops, put(fmt.Sprint(id), doc(id)))
			}
		}
		apply(t, x, ops...)
	}
	fresh := New(s)
	docs, _, err := x.Documents(&BrowseQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, fresh, putAll(t, docs, "id").Ops...)
	for range 300 {
		q := NewQuery(words[rng.Intn(len(words))])
		if rng.Intn(2) == 0 {
			q.Q += " " + words[rng.Intn(len(words))]
		}
		q.Limit, q.ShowRankingScoreDetails = 50, true
		q.Facets = []string{"n", "tags"}
		if rng.Intn(3) == 0 {
			q.Filter = fmt.Sprintf("n > %d", rng.Intn(5))
		}
		if rng.Intn(3) == 0 {
			q.Sort = []string{"n:desc"}
		}
		a, b := find(t, x, q), find(t, fresh, q)
		if ja, jb := asJSON(t, a), asJSON(t, b); ja != jb {
			t.Fatalf("%q %v %v:\n%s\n%s", q.Q, q.Filter, q.Sort, ja, jb)
		}
	}
	for _, w := range x.core.lex.words {
		if id, ok := x.core.lex.lookup(w); ok && len(x.core.post[id].attrs) == 0 {
			t.Errorf("%q is in the dictionary and in no document", w)
		}
	}
	if got, want := fmt.Sprint(x.FieldDistribution()), fmt.Sprint(fresh.FieldDistribution()); got != want {
		t.Errorf("distribution %s, want %s", got, want)
	}
}

func asJSON(t testing.TB, r *Result) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadersSeeWholeBatches(t *testing.T) {
	x := newIndex(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				r, err := x.Search(context.Background(), NewQuery("pair"))
				if err != nil || r.Total%2 != 0 {
					t.Errorf("half a batch: %v %v", r, err)
					return
				}
			}
		})
	}
	for i := range 60 {
		a, b := fmt.Sprint(2*i), fmt.Sprint(2*i+1)
		apply(t, x, put(a, `{"id":`+a+`,"t":"pair w`+a+`"}`), put(b, `{"id":`+b+`,"t":"pair"}`))
		if i%20 == 19 {
			apply(t, x, Op{Kind: OpClear})
		}
	}
	cancel()
	wg.Wait()
}
