package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func batch(tb testing.TB, data string, f Format) *Batch {
	tb.Helper()
	b, err := Parse([]byte(data), f, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func injectIndex(dst []byte, doc int) []byte { return fmt.Appendf(dst, `"_miroir_seq":"%04d"`, doc) }

const injectIndexLen = len(`"_miroir_seq":"0000"`)

func TestBody(t *testing.T) {
	b := batch(t, `[{"id":1},{ },{"id":2,"a":{}}, {"id":3 }]`, JSON)
	body := b.NewBody([]int32{3, 1, 0}, injectIndexLen, injectIndex)
	want := `{"id":3 ,"_miroir_seq":"0003"}` + "\n" + `{ "_miroir_seq":"0001"}` + "\n" + `{"id":1,"_miroir_seq":"0000"}` + "\n"
	for range 2 {
		got, err := io.ReadAll(iotest.OneByteReader(body))
		if err != nil || string(got) != want || body.Len() != int64(len(want)) {
			t.Errorf("read %q, %v, length %d", got, err, body.Len())
		}
		body.Reset()
		if got, err = io.ReadAll(body); err != nil || string(got) != want {
			t.Errorf("read %q, %v", got, err)
		}
		body.Reset()
		var sb strings.Builder
		if n, err := body.WriteTo(&sb); err != nil || n != body.Len() || sb.String() != want {
			t.Errorf("wrote %q, %d, %v", sb.String(), n, err)
		}
		body.Reset()
	}
	if err := iotest.TestReader(b.NewBody([]int32{0, 1, 2, 3}, injectIndexLen, injectIndex),
		[]byte(strings.Join([]string{`{"id":1,"_miroir_seq":"0000"}`, `{ "_miroir_seq":"0001"}`,
			`{"id":2,"a":{},"_miroir_seq":"0002"}`, `{"id":3 ,"_miroir_seq":"0003"}`, ``}, "\n"))); err != nil {
		t.Error(err)
	}
	plain, err := io.ReadAll(b.NewBody([]int32{2}, 0, nil))
	if err != nil || string(plain) != `{"id":2,"a":{}}`+"\n" {
		t.Errorf("without injection: %q, %v", plain, err)
	}
	none := b.NewBody(nil, injectIndexLen, injectIndex)
	if got, err := io.ReadAll(none); err != nil || len(got) != 0 || none.Len() != 0 {
		t.Errorf("no documents: %q, %v", got, err)
	}
}

func TestBodyOfLargeDocuments(t *testing.T) {
	var docs []string
	for i, n := range []int{1, writeSize - 20, writeSize, 3*writeSize + 7, 10} {
		docs = append(docs, fmt.Sprintf(`{"id":%d,"a":"%s"}`, i, strings.Repeat("x", n)))
	}
	b := batch(t, strings.Join(docs, " "), NDJSON)
	body := b.NewBody([]int32{0, 1, 2, 3, 4}, injectIndexLen, injectIndex)
	var written bytes.Buffer
	if n, err := body.WriteTo(&written); err != nil || n != body.Len() || n != int64(written.Len()) {
		t.Fatalf("wrote %d of %d: %v", n, body.Len(), err)
	}
	body.Reset()
	read, err := io.ReadAll(struct{ io.Reader }{body})
	if err != nil || !bytes.Equal(read, written.Bytes()) {
		t.Errorf("read %d bytes, wrote %d: %v", len(read), written.Len(), err)
	}
	if lines := strings.Count(written.String(), "\n"); lines != 5 {
		t.Errorf("%d lines", lines)
	}
}

type failingWriter struct{ left int }

var errFull = errors.New("full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		n := w.left
		w.left = 0
		return n, errFull
	}
	w.left -= len(p)
	return len(p), nil
}

func TestBodyReportsTheWritersError(t *testing.T) {
	b := batch(t, `[{"id":1,"a":"`+strings.Repeat("x", 3*writeSize)+`"}]`, JSON)
	for _, room := range []int{0, 10, writeSize + 10} {
		n, err := b.NewBody([]int32{0}, 0, nil).WriteTo(&failingWriter{left: room})
		if !errors.Is(err, errFull) || n != int64(room) {
			t.Errorf("room %d: wrote %d, %v", room, n, err)
		}
	}
}

func TestChunk(t *testing.T) {
	b := batch(t, `[{"id":1},{"id":2},{"id":3,"a":"a long document, longer than two others"},{"id":4}]`, JSON)
	tests := []struct {
		name string
		docs []int32
		max  int64
		want [][]int32
	}{
		{"no limit", []int32{0, 1, 2, 3}, 0, [][]int32{{0, 1, 2, 3}}},
		{"two short ones fit", []int32{0, 1, 3}, 18, [][]int32{{0, 1}, {3}}},
		{"one byte less and they do not", []int32{0, 1, 3}, 17, [][]int32{{0}, {1}, {3}}},
		{"a document that is too long goes alone", []int32{0, 2, 3}, 18, [][]int32{{0}, {2}, {3}}},
		{"no documents", nil, 18, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := b.Chunk(tt.docs, 0, tt.max)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			for _, part := range got {
				if n := b.NewBody(part, 0, nil).Len(); tt.max > 0 && n > tt.max && len(part) > 1 {
					t.Errorf("part %v has %d bytes", part, n)
				}
			}
		})
	}
}

func FuzzSplitKeepsEveryDocument(f *testing.F) {
	f.Add([]byte(`[{"id":1,"a":[1,2]},{"id":"x","b":{"c":null}}]`), false)
	f.Add([]byte("{\"id\":1}\n{\"id\":2}"), true)
	f.Add([]byte(`{"id":1.5e3,"id":2}`), false)
	f.Fuzz(func(t *testing.T, data []byte, lines bool) {
		format := JSON
		if lines {
			format = NDJSON
		}
		b, err := Parse(data, format, Options{})
		want, ok := decodeAll(data, lines)
		if err != nil {
			if strings.Contains(err.Error(), errNone.Error()) {
				t.Fatalf("Parse(%q) refused without a reason", data)
			}
			return // what the strict rules refuse beyond encoding/json is checked elsewhere
		}
		if !ok {
			t.Fatalf("Parse(%q) took what encoding/json does not", data)
		}
		if b.Len() != len(want) {
			t.Fatalf("Parse(%q): %d documents, want %d", data, b.Len(), len(want))
		}
		for i := range want {
			_ = b.ResolveIDs("id")
			body := b.NewBody([]int32{int32(i)}, injectIndexLen, injectIndex)
			text, err := io.ReadAll(body)
			if err != nil || int64(len(text)) != body.Len() {
				t.Fatalf("body of %q: %d of %d bytes, %v", b.Doc(i), len(text), body.Len(), err)
			}
			var got map[string]any
			if err := json.Unmarshal(text, &got); err != nil || got["_miroir_seq"] != fmt.Sprintf("%04d", i) {
				t.Fatalf("body %q: %v", text, err)
			}
			delete(got, "_miroir_seq")
			if !reflect.DeepEqual(got, want[i]) {
				t.Fatalf("document %d of %q became %q", i, data, text)
			}
		}
	})
}

// decodeAll reads the documents with encoding/json. Text behind an array is not looked at, as in Parse.
func decodeAll(data []byte, lines bool) (docs []map[string]any, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if !lines && bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")) {
		return docs, dec.Decode(&docs) == nil
	}
	for {
		var d map[string]any
		if err := dec.Decode(&d); err != nil {
			return docs, err == io.EOF && (lines || len(docs) == 1)
		}
		docs = append(docs, d)
	}
}

func FuzzCSVRoundTrip(f *testing.F) {
	f.Add("a", "x,y", "say \"hi\"\n", "é")
	f.Add("", "\r", "\"", ",")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		quote := func(s string) string { return `"` + strings.ReplaceAll(strings.ToValidUTF8(s, "?"), `"`, `""`) + `"` }
		data := "id,x\n" + quote(a) + "," + quote(b) + "\r\n" + quote(c) + "," + quote(d)
		p, err := Parse([]byte(data), CSV, Options{})
		if err != nil || p.Len() != 2 {
			t.Fatalf("Parse(%q): %v", data, err)
		}
		for i, row := range [][]string{{a, b}, {c, d}} {
			var got map[string]*string
			if err := json.Unmarshal(p.Doc(i), &got); err != nil {
				t.Fatalf("row %d of %q became %q: %v", i, data, p.Doc(i), err)
			}
			for k, name := range []string{"id", "x"} {
				want := strings.ToValidUTF8(row[k], "?")
				if v := got[name]; v == nil && want != "" || v != nil && *v != want {
					t.Fatalf("row %d of %q became %q", i, data, p.Doc(i))
				}
			}
		}
	})
}

func FuzzParseCSVSurvivesAnything(f *testing.F) {
	f.Add([]byte("id:number,a\n1,\"x\n"), byte(','))
	f.Add([]byte("\xef\xbb\xbf\r\n;\"\";x\"\n"), byte(';'))
	f.Fuzz(func(t *testing.T, data []byte, delim byte) {
		b, err := Parse(data, CSV, Options{Delimiter: delim})
		if err != nil {
			return
		}
		_ = b.ResolveIDs("id")
		for i := range b.Len() {
			if !json.Valid(b.Doc(i)) {
				t.Fatalf("Parse(%q) made %q", data, b.Doc(i))
			}
		}
	})
}

func TestIngestDoesNotAllocatePerDocument(t *testing.T) {
	few, many := sampleDocs(100), sampleDocs(2000)
	var parts [3][]int32
	for name, tt := range map[string]struct {
		format Format
		join   func([][]byte) []byte
	}{"an array": {JSON, asArray}, "lines": {NDJSON, asLines}} {
		small, large := tt.join(few), tt.join(many)
		ingest(t, large, tt.format, &parts) // sizes the parts
		a := testing.AllocsPerRun(5, func() { ingest(t, small, tt.format, &parts) })
		b := testing.AllocsPerRun(5, func() { ingest(t, large, tt.format, &parts) })
		// Twenty times the documents may cost a few more slices, not one allocation per document.
		if b > a+10 || b > 60 {
			t.Errorf("%s: %v allocations for 100 documents, %v for 2000", name, a, b)
		}
	}
}
