package actors

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/payload"
)

func parsed(t *testing.T, docs string) *documents {
	t.Helper()
	b, err := payload.Parse([]byte(docs), payload.JSON, payload.Options{})
	if err == nil {
		err = b.ResolveIDs("id")
	}
	if err != nil {
		t.Fatal(err)
	}
	d, _ := newDocuments(b, 4)
	return d
}

func TestSettingsDecideWhichDocumentsAreGood(t *testing.T) {
	const geo, vectors = `{"sortableAttributes":["_geo"]}`, `{"embedders":{"e":{"source":"userProvided","dimensions":2},"s":{"source":"rest","url":"http://127.0.0.1:1","dimensions":1,"request":{},"response":{}}}}`
	for _, c := range []struct {
		settings, docs string
		p              params
		code           string
	}{
		{`{}`, `[{"id":1,"_geo":1,"_vectors":{"e":[1]}}]`, params{}, ""},
		{`{"filterableAttributes":["a","_geo"]}`, `[{"id":1,"_geo":1}]`, params{}, "invalid_document_geo_field"},
		{`{"filterableAttributes":[{"attributePatterns":["_geo"]}]}`, `[{"id":1,"_geo":1}]`, params{}, ""},
		{geo, `[{"id":1},{"id":2,"_geo":null},{"id":3,"_geo":{"lat":"1","lng":2}}]`, params{}, ""},
		{geo, `[{"id":1},{"id":2,"_geo":{"lat":1}}]`, params{}, "invalid_document_geo_field"},
		{geo, `[{"id":2,"\u005fgeo":{"lat":1}}]`, params{}, "invalid_document_geo_field"},
		{geo, `[{"id":2,"_geo":{"lat":1}},{"id":2}]`, params{}, ""}, // the second replaces the first
		{geo, `[{"id":2,"_geo":{"lat":1}}]`, params{SkipCreation: true}, ""},
		{geo, `[{"id":"known","_geo":{"lat":1}}]`, params{SkipCreation: true}, "invalid_document_geo_field"},
		{vectors, `[{"id":1,"_vectors":{"e":[1,2],"s":[3]}},{"id":2,"_vectors":{"e":null}}]`, params{}, ""},
		{vectors, `[{"id":1,"_vectors":{"e":[1,2],"s":[3,4]}}]`, params{}, "invalid_vector_dimensions"},
		{vectors, `[{"id":1,"_vectors":{"e":"x"}}]`, params{}, "invalid_vectors_type"},
		{vectors, `[{"id":1,"_vectors":{"s":[3]}}]`, params{}, "vector_embedding_error"},
		{vectors, `[{"id":"known","_vectors":{"e":{"regenerate":true},"s":[1]}}]`, params{}, "vector_embedding_error"},
		{vectors, `[{"id":1,"_vectors":{"e":[1]}},{"id":1,"_vectors":{"e":[1,2]}}]`, params{Update: true}, ""},
		{vectors, `[{"id":1,"_vectors":{"e":[1,2]}},{"id":1,"t":1}]`, params{Update: true}, ""},
		{vectors, `[{"id":1,"t":1},{"id":1,"_vectors":{"e":[1,2]}}]`, params{Update: true}, ""},
		{vectors, `[{"id":1,"_vectors":{"e":[1,2]}},{"id":2,"_vectors":{"e":[1,2]}},{"id":2,"t":1},{"id":1,"t":1}]`, params{Update: true}, ""},
		{vectors, `[{"id":1,"_vectors":{"e":[1,2]}},{"id":2,"t":1},{"id":1,"t":1}]`, params{Update: true}, "vector_embedding_error"},
		{vectors, `[{"id":"known","_vectors":{"e":{"regenerate":true}}},{"id":"known","t":1}]`, params{Update: true}, "vector_embedding_error"},
		{vectors, `[{"id":1,"_vectors":{"e":[1,2]}},{"id":1,"t":1}]`, params{}, "vector_embedding_error"},
		{`{}`, `[{"id":1,"_vectors":1}]`, params{}, "internal"},
		{vectors, `[{"id":"known"}]`, params{Update: true}, ""},
		{vectors, `[{"id":"new"}]`, params{SkipCreation: true}, ""},
	} {
		s, patch := api.DefaultSettings(), &api.SettingsPatch{}
		if err := json.Unmarshal([]byte(c.settings), patch); err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(patch); err != nil {
			t.Fatal(err)
		}
		d := parsed(t, c.docs)
		err := checksOf(s).check(d.batch, c.p.Update).refuse("films", c.p.SkipCreation, func(id string) bool { return id == "known" })
		code := ""
		if err != nil {
			code = err.Code
		}
		if code != c.code {
			t.Errorf("%s with %s %+v: %v, want %q", c.docs, c.settings, c.p, err, c.code)
		}
	}
}

// A document that settings make bad fails its own write and no other, on all
// replicas, although one of them works on all writes as one batch.
func TestReplicasThatBatchDifferentlyAroundABadDocumentEndEqual(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	f.must(&messages.CreateIndex{IndexUID: "films", PrimaryKey: "id"})
	f.must(settingsOf("films", `{"filterableAttributes":["_geo"],"embedders":{"e":{"source":"userProvided","dimensions":2}}}`))
	f.nodes[2].PauseTasks() // of the second group
	var mu sync.Mutex
	var writers sync.WaitGroup
	uids := map[int64]string{}
	for i := range 30 {
		writers.Go(func() {
			doc := fmt.Sprintf(`[{"id":%d,"_geo":{"lat":%d,"lng":0},"_vectors":{"e":[%d,1]}}]`, i, i, i)
			code := ""
			switch i % 5 {
			case 0:
				doc, code = fmt.Sprintf(`[{"id":%d,"_vectors":{"e":[1,2]}},{"id":%d,"_geo":{"lat":"north"}}]`, 100+i, i), "invalid_document_geo_field"
			case 1:
				doc, code = fmt.Sprintf(`[{"id":%d,"_vectors":{"e":[1,2]}},{"id":%d,"_vectors":{"e":[1]}}]`, 100+i, i), "invalid_vector_dimensions"
			case 2:
				doc, code = fmt.Sprintf(`[{"id":%d,"_vectors":{"e":[1,2]}},{"id":%d}]`, 100+i, i), "vector_embedding_error"
			}
			a := f.write(adding("films", doc))
			mu.Lock()
			defer mu.Unlock()
			if a.Err != nil {
				t.Errorf("document %d: %v", i, a.Err)
				return
			}
			uids[int64(a.Task.TaskUID)] = code
		})
	}
	writers.Wait()
	f.nodes[2].ResumeTasks()
	for uid, code := range uids {
		task := f.ended(uid)
		var e struct{ Code string }
		_ = json.Unmarshal(task.Error, &e) // null without an error
		if e.Code != code || (code == "") != (task.Status == api.Succeeded) {
			t.Errorf("task %d: %s %s, want %q", uid, task.Status, task.Error, code)
		}
	}
	if docs := f.equal("films"); len(docs) != 12 {
		t.Errorf("%d documents, want 12: %v", len(docs), sortedKeys(docs))
	}
}

// Settings that are sequenced between the look at a write's documents and its place
// decide, not those of before.
func TestDocumentsAreCheckedUnderTheSettingsOfTheirPlace(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(&messages.CreateIndex{IndexUID: "films", PrimaryKey: "id"})
	var writers sync.WaitGroup
	for i := range 40 {
		writers.Go(func() {
			on := `{"sortableAttributes":["_geo"]}`
			if i%4 == 1 {
				on = `{"sortableAttributes":[]}`
			}
			var a *messages.TaskAccepted
			if i%2 == 1 {
				a = f.write(settingsOf("films", on))
			} else {
				a = f.write(adding("films", fmt.Sprintf(`[{"id":%d},{"id":%d,"_geo":"nowhere"}]`, 1000+i, i)))
			}
			if a.Err != nil {
				t.Error(a.Err)
				return
			}
			// A settings change is refused while there are documents with a bad _geo.
			task := f.ended(int64(a.Task.TaskUID))
			var e struct{ Code string }
			_ = json.Unmarshal(task.Error, &e) // null without an error
			if task.Status != api.Succeeded && e.Code != "invalid_document_geo_field" {
				t.Errorf("%s: %s", task.Type, task.Error)
			}
		})
	}
	writers.Wait()
	docs := f.equal("films")
	for id := range docs { // both documents of a write, or none
		var n int
		if _, err := fmt.Sscan(id, &n); err != nil {
			t.Fatal(err)
		}
		other := fmt.Sprint(n + 1000)
		if n >= 1000 {
			other = fmt.Sprint(n - 1000)
		}
		if _, both := docs[other]; !both {
			t.Errorf("document %s is there and %s is not", id, other)
		}
	}
}
