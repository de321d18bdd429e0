package payload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// memorySource is a Source that spoils what was seen, as the kernel may take it.
type memorySource struct {
	*bytes.Reader
	data []byte
	maps int
}

func sourceOf(data string) *memorySource {
	return &memorySource{Reader: bytes.NewReader([]byte(data)), data: []byte(data)}
}

func (s *memorySource) Map() (data []byte, seen func(int), release func(), err error) {
	s.maps++
	shown := bytes.Clone(s.data)
	seen = func(upTo int) { clear(shown[:upTo]) }
	return shown, seen, func() { clear(shown) }, nil
}

// parseSourced parses a body that is not in memory, CSV by way of NDJSON.
func parseSourced(data string, f Format, o Options) (*Batch, error) {
	if f != CSV {
		return ParseSource(sourceOf(data), f, o)
	}
	out := &bytes.Buffer{}
	b, err := ConvertCSV(sourceOf(data), o, out)
	if err == nil {
		b.Use(sourceOf(out.String()))
	}
	return b, err
}

// told is all that a batch says, for the primary keys in their order.
func told(b *Batch, err error, keys ...string) string {
	if err != nil {
		return fmt.Sprintf("%T %v", err, err)
	}
	var sb strings.Builder
	for _, pk := range append([]string{""}, keys...) {
		if pk != "" {
			fmt.Fprintf(&sb, "by %s: %v\n", pk, b.ResolveIDs(pk))
		}
		var all []int32
		for i := range b.Len() {
			if pk != "" {
				fmt.Fprintf(&sb, "%q ", b.ID(i))
			}
			fmt.Fprintf(&sb, "%s\n", b.Doc(i))
			if i%3 != 1 {
				all = append(all, int32(i)) //nolint:gosec // a few
			}
		}
		body := b.NewBody(all, injectIndexLen, injectIndex)
		for range 2 {
			text, err := io.ReadAll(body)
			fmt.Fprintf(&sb, "%d %v %s\n", body.Len(), err, text)
			body.Reset()
		}
		fmt.Fprintln(&sb, b.Chunk(all, injectIndexLen, 100))
	}
	return sb.String()
}

func TestABodyOutsideMemorySaysTheSame(t *testing.T) {
	bodies := map[Format][]string{
		JSON: {`[]`, ` [ ] `, `{"id":1}`, `[{"id":1},{ },{"id":"a","x":{"id":3}} , {"id":3 }]`, `[{"id":1},{"ID":2},{"Id":3}]`,
			`[{"id":"a\u0062"},{"id":"a b"}]`, `[{"id":1,"id":2,"a":3},{"id":3}]`, `[{"a":1},{"b":2}]`, `[{"aid":1,"bid":2}]`,
			`[{"x":{"k":1}},{"x":{"k":"b"}},{"x.k":7}]`, `[{"id":1},{"id":2}`, `[{"id":1},]`, `[1]`, `{"id":1}x`, `[{"id":1},{"_miroir_a":2}]`,
			`[{"id":1},{"\u005fmiroir_a":2}]`, ``, ` `, `null`, `[{"id":1.5}]`, `[{"id":null}]`, `[{"id":1}] tail`},
		NDJSON: {`{"id":1}`, "{\"id\":1}\n\n{\"id\":\"b\"}{}\n", `{"id":1,"id":2}`, "{\"id\":1}\n[", `{"a":1}` + "\n" + `{"id":1}`, "", "\n", "1"},
		CSV: {"id,n:number,b:boolean\n1,2,true\n\"a\",3.5,\nx y,,false\n", "id\n", "n\n1\n", "id,a\n1\n", "id,a:number\n1,x\n", "id,id\n1,2\n3,4",
			"_miroir_x,id\n1,2\n", "a.id,b\n1,2\n", "\"i\"\"d\",b\n\"1\n2\",\"x\"\"y\"\n", "", "\xff\n"},
	}
	for f, list := range bodies {
		for _, data := range list {
			for _, hint := range []string{"", "id", "n", "x.k"} {
				o := Options{PrimaryKey: hint}
				inMemory, err := Parse([]byte(data), f, o)
				want := told(inMemory, err, "id", "n", "x.k", "id")
				if data == "" {
					continue // is refused before there is a source
				}
				sourced, err := parseSourced(data, f, o)
				if got := told(sourced, err, "id", "n", "x.k", "id"); got != want {
					t.Errorf("%s %q with %q:\n%s\nin memory:\n%s", f, data, hint, got, want)
				}
			}
		}
	}
}

func TestALargeBodyOutsideMemorySaysTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	var array, lines, table strings.Builder
	array.WriteString("[")
	table.WriteString("id,text,n:number\n")
	for i := 0; array.Len() < seenStep*5/4; i++ {
		text := strings.Repeat("words ", r.IntN(400))
		if r.IntN(1000) == 0 {
			text = strings.Repeat("long ", windowSize/2)
		}
		if i > 0 {
			array.WriteString(", ")
		}
		doc := fmt.Sprintf(`{"text":"%s","id":"doc-%d","n":%d}`, text, i, i)
		array.WriteString(doc)
		lines.WriteString(doc + "\n")
		fmt.Fprintf(&table, "doc-%d,\"%s\",%d\n", i, text, i)
	}
	array.WriteString("]")
	for f, data := range map[Format]string{JSON: array.String(), NDJSON: lines.String(), CSV: table.String()} {
		for _, hint := range []string{"", "n"} { // the second is found out to be wrong
			inMemory, err := Parse([]byte(data), f, Options{PrimaryKey: hint})
			if err != nil {
				t.Fatal(err)
			}
			sourced, err := parseSourced(data, f, Options{PrimaryKey: hint})
			if got, want := told(sourced, err, "id"), told(inMemory, nil, "id"); got != want {
				t.Errorf("%s with %q differs at %d of %d", f, hint, diffAt(got, want), len(want))
			}
		}
		if why := told(parseSourced(data[:len(data)-2]+"\"", f, Options{})); f == JSON && !strings.Contains(why, "malformed") {
			t.Errorf("%s without its end: %.200s", f, why)
		}
	}
	if src := sourceOf(lines.String()); true {
		b, err := ParseSource(src, NDJSON, Options{PrimaryKey: "id"})
		if err != nil || b.ResolveIDs("id") != nil || src.maps != 1 {
			t.Errorf("mapped %d times (%v)", src.maps, err)
		}
		if err := iotest.TestReader(b.NewBody([]int32{0, 5, 9}, 0, nil), []byte(fmt.Sprintf("%s\n%s\n%s\n", b.Doc(0), b.Doc(5), b.Doc(9)))); err != nil {
			t.Error(err)
		}
	}
}

func diffAt(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// failingSource fails on the disk.
type failingSource struct {
	*memorySource
	at int64
}

func (s *failingSource) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.at {
		return 0, errDisk
	}
	return s.memorySource.ReadAt(p, off)
}

var errDisk = errors.New("the disk failed")

func TestABodyWhoseSourceFailsSaysSo(t *testing.T) {
	text := strings.Repeat("x", windowSize)
	src := &failingSource{sourceOf(fmt.Sprintf(`{"id":1,"a":"%s"}{"id":2,"a":"%s"}`, text, text)), windowSize}
	b, err := ParseSource(src, NDJSON, Options{PrimaryKey: "id"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, b.NewBody([]int32{0, 1}, 0, nil)); !errors.Is(err, errDisk) {
		t.Errorf("copied with %v", err)
	}
	if _, err := io.ReadAll(struct{ io.Reader }{b.NewBody([]int32{0, 1}, 0, nil)}); !errors.Is(err, errDisk) {
		t.Errorf("read with %v", err)
	}
	if doc := b.Doc(1); doc != nil {
		t.Errorf("document %.40s", doc)
	}
}

func TestConvertingReportsTheWritersError(t *testing.T) {
	rows := "id,a\n" + strings.Repeat("1,"+strings.Repeat("x", 1000)+"\n", 100)
	if _, err := ConvertCSV(sourceOf(rows), Options{}, &failingWriter{left: 70_000}); err == nil {
		t.Error("no error")
	}
}
