package actors

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

// put writes a payload to the journal, in pieces, as a large one comes.
func (f *fleet) put(body string) store.Ref {
	f.t.Helper()
	out := f.c.store.Journal().Stream()
	for len(body) > 0 {
		n := min(len(body), 100_000)
		if _, err := out.Write([]byte(body[:n])); err != nil {
			f.t.Fatal(err)
		}
		body = body[n:]
	}
	ref, err := out.Finish()
	if err != nil {
		f.t.Fatal(err)
	}
	return ref
}

// putting is adding with a payload in the journal.
func (f *fleet) putting(index, format, body string) *messages.AddDocuments {
	f.t.Helper()
	m := adding(index, "")
	m.Format, m.Payload, m.Stored = format, nil, f.put(body)
	return m
}

// largeDocs makes a payload that is read from the journal piece by piece.
func largeDocs(format, tag string, n int) string { return docsOf(format, tag, n, spooledFrom*5/4) }

// docsOf makes a payload of n documents and about size bytes.
func docsOf(format, tag string, n, size int) string {
	var b strings.Builder
	text := strings.Repeat("words of "+tag+" ", size/n/len("words of  "+tag))
	if format == "csv" {
		b.WriteString("id,n:number,title\n")
	}
	for i := range n {
		switch {
		case format == "csv":
			fmt.Fprintf(&b, "%s%d,%d,\"%s\"\n", tag, i, i, text)
			continue
		case format == "json" && i == 0:
			b.WriteByte('[')
		case format == "json":
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%s%d","n":%d,"title":"%s"}`, tag, i, i, text)
		if format == "ndjson" {
			b.WriteByte('\n')
		}
	}
	if format == "json" {
		b.WriteByte(']')
	}
	return b.String()
}

func TestLargePayloadsGoThroughTheJournal(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	want := map[string]string{}
	for _, format := range []string{"json", "ndjson", "csv"} {
		f.must(f.putting("films", format, docsOf(format, format, 60, 20_000)))
		// the same again in memory tells what it should be
		m := adding("same", docsOf(format, format, 60, 20_000))
		m.Format = format
		f.must(m)
	}
	for id, doc := range f.equal("same") {
		want[id] = doc
	}
	got := f.equal("films")
	if len(got) != 180 {
		t.Fatalf("%d documents", len(got))
	}
	for id, doc := range want {
		if got[id] != doc {
			t.Errorf("%s is %.100s, in memory %.100s", id, got[id], doc)
		}
	}
	// A node that was away is given them from the journal, after a restart too.
	f.down(1)
	for _, format := range []string{"json", "csv"} {
		f.must(f.putting("films", format, largeDocs(format, "away-"+format, 60)))
	}
	f.stop()
	f.start()
	f.up(1)
	f.untilState(1, stateReady)
	if got := f.equal("films"); len(got) != 300 {
		t.Errorf("%d documents after a node was away", len(got))
	}
}

// journalAfter waits until the journal is as small as it was, give or take rows of
// numbers.
func (f *fleet) journalAfter(what string, before int64) {
	f.t.Helper()
	f.eventually("the payload is gone after "+what, func() bool { return f.c.store.Journal().Size() < before+spooledFrom })
}

func TestAPayloadThatIsNotTakenLeavesTheJournal(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("films", `[{"id":1}]`))
	f.must(with("k", "first", adding("films", `[{"id":2}]`)))
	f.idle()
	size := f.c.store.Journal().Size()
	large := func() string { return largeDocs("json", "x", 20) }
	puts := func(format, body string) *messages.AddDocuments { return f.putting("films", format, body) }
	for _, tc := range []struct {
		what, code string
		make       func() *messages.AddDocuments
	}{
		{"a malformed payload", "malformed_payload", func() *messages.AddDocuments { return puts("json", strings.TrimSuffix(large(), "]")) }},
		{"malformed CSV", "malformed_payload", func() *messages.AddDocuments { return puts("csv", largeDocs("csv", "x", 20)+"a,b\n") }},
		{"a reserved field", "miroir_reserved_field", func() *messages.AddDocuments {
			return puts("json", strings.Replace(large(), `"n"`, `"_miroir_n"`, 1))
		}},
		{"a key of another request", "miroir_idempotency_key_reused", func() *messages.AddDocuments { return with("k", "other", puts("json", large())) }},
		{"a repeated request", "", func() *messages.AddDocuments { return with("k", "first", puts("json", large())) }},
		{"a bad document", "", func() *messages.AddDocuments { return puts("json", strings.Replace(large(), `"id"`, `"no"`, 1)) }},
		{"an index that is none", "index_not_found", func() *messages.AddDocuments {
			m := f.putting("none", "json", large())
			m.CreateAllowed = false
			return m
		}},
	} {
		a := f.write(tc.make())
		code := ""
		if a.Err != nil {
			code = a.Err.Code
		} else if task := f.ended(int64(a.Task.TaskUID)); task.Status == api.Failed && tc.code != "" {
			code = tc.code
		}
		if code != tc.code {
			t.Errorf("%s: %+v", tc.what, a)
		}
		f.journalAfter(tc.what, size)
	}
	f.down(0)
	if a := f.write(f.putting("films", "json", large())); a.Err == nil || a.Err.Code != "miroir_no_quorum" {
		t.Errorf("%+v", a)
	}
	f.journalAfter("a write without quorum", size)
	f.up(0)
	f.untilState(0, stateReady)
	if docs := f.equal("films"); len(docs) != 2 {
		t.Errorf("%d documents", len(docs))
	}
}

func TestAFullJournalRefusesLargePayloadsToo(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("films", `[{"id":1}]`))
	f.stop()
	f.opts.JournalLimit = spooledFrom
	f.start()
	size := f.c.store.Journal().Size()
	if a := f.write(f.putting("films", "json", largeDocs("json", "x", 20))); a.Err == nil || a.Err.Code != "miroir_overloaded" || a.Task != nil {
		t.Fatalf("%+v", a)
	}
	f.journalAfter("a payload that is refused", size)
	f.must(adding("films", `[{"id":2}]`))
	if docs := f.equal("films"); len(docs) != 2 {
		t.Errorf("%d documents", len(docs))
	}
}
