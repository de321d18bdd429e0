package engine

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// loadData reads one of the public data sets, or skips the test without it.
// MIROIR_DATA names the directory; else it is looked for beside the module.
func loadData(t testing.TB, name string) []json.RawMessage {
	t.Helper()
	dir := os.Getenv("MIROIR_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(dir, name+".json.gz"))
	if err != nil {
		t.Skipf("no data set %s: %v", name, err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var docs []json.RawMessage
	if err := json.NewDecoder(z).Decode(&docs); err != nil {
		t.Fatal(err)
	}
	return docs
}

// putAll makes a batch that puts documents, whose ids are in member key.
func putAll(t testing.TB, docs []json.RawMessage, key string) *Batch {
	t.Helper()
	b := &Batch{}
	for _, d := range docs {
		var m map[string]any
		if err := json.Unmarshal(d, &m); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(m[key])
		if f, ok := m[key].(float64); ok {
			id = fmt.Sprintf("%.0f", f)
		}
		b.Ops = append(b.Ops, Op{Kind: OpPut, ID: id, Doc: d})
	}
	return b
}

// newIndex makes an index of JSON documents with ids in "id".
func newIndex(t testing.TB, change func(*Settings), docs ...string) *Index {
	t.Helper()
	s := DefaultSettings()
	if change != nil {
		change(&s)
	}
	x := New(s)
	raw := make([]json.RawMessage, len(docs))
	for i, d := range docs {
		raw[i] = json.RawMessage(d)
	}
	apply(t, x, putAll(t, raw, "id").Ops...)
	return x
}

func apply(t testing.TB, x *Index, ops ...Op) Applied {
	t.Helper()
	a, err := x.Apply(&Batch{Ops: ops})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
