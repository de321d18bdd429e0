package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// sampleDocs makes n documents of about 1 KB: ids, short fields, numbers, lists and a long text.
func sampleDocs(n int) [][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the quick brown fox jumps over a lazy dog while naïve cafés serve smørrebrød to everyone " +
		"who asks politely and pays \"promptly\" on time every other Tuesday")
	text := func(k int) string {
		var sb strings.Builder
		for range k {
			sb.WriteString(words[rnd.IntN(len(words))])
			sb.WriteByte(' ')
		}
		return sb.String()
	}
	docs := make([][]byte, n)
	for i := range docs {
		d, err := json.Marshal(struct {
			ID       int       `json:"id"`
			Title    string    `json:"title"`
			Overview string    `json:"overview"`
			Genres   []string  `json:"genres"`
			Poster   string    `json:"poster"`
			Release  int64     `json:"release_date"`
			Rating   float64   `json:"rating"`
			Tags     []string  `json:"tags"`
			Geo      []float64 `json:"box"`
			More     any       `json:"more"`
		}{i, text(4), text(105), []string{"Drama", "Comedy", "Action"}, "https://image.example.org/t/p/w500/" + text(1), rnd.Int64N(1e9),
			rnd.Float64() * 10, []string{text(1), text(1), text(1)}, []float64{rnd.Float64(), rnd.Float64() * 100}, map[string]any{"a": true, "b": nil}})
		if err != nil {
			panic(err)
		}
		docs[i] = d
	}
	return docs
}

func asArray(docs [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(docs, []byte(","))...), ']')
}

func asLines(docs [][]byte) []byte { return append(bytes.Join(docs, []byte("\n")), '\n') }

const injected = `"_miroir_shard":"!!!!","_miroir_seq":"!!!!!!!!!!!!"`

func inject(dst []byte, _ int) []byte { return append(dst, injected...) }

// route spreads the documents over three bodies by their id, as a caller does.
func route(b *Batch, parts *[3][]int32) {
	for k := range parts {
		parts[k] = parts[k][:0]
	}
	for i := range b.Len() {
		h := uint32(2166136261)
		for _, c := range b.ID(i) {
			h = (h ^ uint32(c)) * 16777619
		}
		parts[h%3] = append(parts[h%3], int32(i))
	}
}

// ingest is the whole way of a payload: parse, ids, three bodies written out.
func ingest(tb testing.TB, data []byte, f Format, parts *[3][]int32) {
	b, err := Parse(data, f, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if err := b.ResolveIDs("id"); err != nil {
		tb.Fatal(err)
	}
	route(b, parts)
	for _, docs := range parts {
		body := b.NewBody(docs, len(injected), inject)
		n, err := body.WriteTo(io.Discard)
		if err != nil || n != body.Len() {
			tb.Fatalf("wrote %d of %d bytes: %v", n, body.Len(), err)
		}
	}
}

// ingestMaps does the same by decoding into maps, for comparison.
func ingestMaps(tb testing.TB, data []byte) {
	var docs []map[string]any
	if err := json.Unmarshal(data, &docs); err != nil {
		tb.Fatal(err)
	}
	for _, d := range docs {
		d["_miroir_shard"] = fmt.Sprint(d["id"])
		if err := json.NewEncoder(io.Discard).Encode(d); err != nil {
			tb.Fatal(err)
		}
	}
}

func asCSV(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var sb bytes.Buffer
	sb.WriteString("id,title,year:number,overview,rating:number,seen:boolean\n")
	for i := range n {
		fmt.Fprintf(&sb, "%d,Some title %d,%d,\"%s, and \"\"more\"\"\",%.3f,%v\n", i, i, 1900+rnd.IntN(120),
			strings.Repeat("a fairly long text, as real ones are ", 20), rnd.Float64()*10, rnd.IntN(2) == 0)
	}
	return sb.Bytes()
}

func BenchmarkIngest(b *testing.B) {
	docs := sampleDocs(4000)
	array, lines, rows := asArray(docs), asLines(docs), asCSV(4000)
	var parts [3][]int32
	run := func(name string, data []byte, fn func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				fn()
			}
		})
	}
	run("json array", array, func() { ingest(b, array, JSON, &parts) })
	run("ndjson", lines, func() { ingest(b, lines, NDJSON, &parts) })
	run("csv", rows, func() { ingest(b, rows, CSV, &parts) })
	run("json array, encoding/json maps", array, func() { ingestMaps(b, array) })
	run("json array, parse only", array, func() { _, _ = Parse(array, JSON, Options{}) })
}
