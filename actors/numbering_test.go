package actors

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/payload"
)

// outside is a payload that is not in memory, as far as it says.
type outside struct{ *bytes.Reader }

func (o outside) Map() ([]byte, func(int), func(), error) {
	p := make([]byte, o.Size())
	_, err := o.ReadAt(p, 0)
	return p, func(int) {}, func() {}, err
}

// parsedOutside is documents of NDJSON that are not in memory.
func parsedOutside(t testing.TB, docs string) *documents {
	t.Helper()
	b, err := payload.ParseSource(outside{bytes.NewReader([]byte(docs))}, payload.NDJSON, payload.Options{PrimaryKey: "id"})
	if err == nil {
		err = b.ResolveIDs("id")
	}
	if err != nil {
		t.Fatal(err)
	}
	d, _ := newDocuments(b, 4)
	return d
}

// given is what a write does that adds one document for each number.
func given(t *testing.T, docs string, seqs ...uint64) *numbering {
	t.Helper()
	d := parsed(t, docs)
	d.seqs = seqs
	return newNumbering(newIDTable(d), false)
}

func gone(ids ...string) *numbering {
	d, _ := newDeletion(ids, 4)
	return newNumbering(newIDTable(d), false)
}

func TestOverlay(t *testing.T) {
	var o overlay
	get := func(id string, seq uint64, known bool) {
		t.Helper()
		if s, k := o.get(id); s != seq || k != known {
			t.Errorf("%s: %d %v, want %d %v", id, s, k, seq, known)
		}
	}
	get("a", 0, false)
	o.put(1, given(t, `[{"id":"a"},{"id":"b"}]`, 7, 8))
	o.put(2, gone("a"))
	o.put(2, nil)
	get("a", 0, true)
	get("b", 8, true)
	o.settle(1)
	get("a", 0, true)
	get("b", 0, false)
	o.settle(2)
	get("a", 0, false)
	o.put(3, given(t, `[{"id":"c"}]`, 9))
	o.clear(4)
	get("c", 0, true)
	get("anything", 0, true)
	o.put(5, given(t, `[{"id":"c"}]`, 10))
	o.settle(3)
	get("anything", 0, true)
	o.settle(4)
	get("anything", 0, false)
	get("c", 10, true)
	o.settle(9)
	if o.len() != 0 || len(o.order) != 0 {
		t.Errorf("left: %+v", o)
	}
}

// Large and small writes in any order, settled and cleared, are remembered as a
// plain list of writes would have it.
func TestAnOverlayOfLargeWritesSaysTheSame(t *testing.T) {
	type written struct {
		lsn int64
		ids map[string]uint64 // nil for a clear
	}
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test repeats itself
	var o overlay
	var all []written
	settled, next := int64(0), uint64(1)
	id := func() string { return fmt.Sprintf("d%d", rng.IntN(3*largeFrom)) }
	for lsn := int64(1); lsn <= 60; lsn++ {
		w := written{lsn, map[string]uint64{}}
		switch kind := rng.IntN(20); {
		case kind == 0:
			w.ids = nil
			o.clear(lsn)
		case kind < 8: // a deletion, large or not
			var ids []string
			for range 1 + rng.IntN(2)*2*largeFrom {
				ids = append(ids, id())
				w.ids[ids[len(ids)-1]] = 0
			}
			o.put(lsn, gone(ids...))
		default:
			var docs strings.Builder
			for range 1 + rng.IntN(2)*2*largeFrom {
				fmt.Fprintf(&docs, `{"id":%q}`, id())
			}
			d := parsedOutside(t, docs.String())
			table := newIDTable(d)
			next = table.assign(next, func(id string) uint64 { seq, _ := o.get(id); return seq })
			for i := range d.len() {
				w.ids[d.key(i)] = d.seq(i)
			}
			o.put(lsn, newNumbering(table, false))
		}
		all = append(all, w)
		if rng.IntN(4) == 0 {
			settled = max(settled, lsn-int64(rng.IntN(8)))
			o.settle(settled)
		}
		known, empty := map[string]uint64{}, false
		for _, w := range all {
			switch {
			case w.lsn <= settled && w.ids != nil:
			case w.lsn <= settled: // what came before is gone, and is known no longer
				clear(known)
			case w.ids == nil:
				clear(known)
				empty = true
			default:
				maps.Copy(known, w.ids)
			}
		}
		for range 500 {
			id := id()
			want, wanted := known[id]
			seq, got := o.get(id)
			if seq != want || got != (wanted || empty) {
				t.Fatalf("after %d, %d settled: %s has %d %v, want %d %v", lsn, settled, id, seq, got, want, wanted || empty)
			}
		}
	}
	if o.settle(60); o.len() != 0 || len(o.large) != 0 {
		t.Errorf("left: %d ids", o.len())
	}
}

func TestDocumentsGetTheirNumbers(t *testing.T) {
	known := func(id string) uint64 { return map[string]uint64{"old": 3}[id] }
	for _, c := range []struct {
		docs    string
		skipped bool
		seqs    string
		next    uint64
		stages  string
	}{
		{`[{"id":"a"},{"id":"b"}]`, false, "[10 11]", 12, "map[a:10 b:11]"},
		{`[{"id":"a"},{"id":"a"},{"id":"b"},{"id":"a"}]`, false, "[10 10 11 10]", 12, "map[a:10 b:11]"},
		{`[{"id":"a"},{"id":"old"},{"id":"b"},{"id":"old"}]`, false, "[10 3 11 3]", 12, "map[a:10 b:11 old:3]"},
		{`[{"id":"a"},{"id":"old"},{"id":"a"}]`, true, "[10 3 10]", 11, "map[a:0 old:3]"},
	} {
		d := parsed(t, c.docs)
		table := newIDTable(d)
		next := table.assign(10, known)
		seqs, stages := []uint64{}, map[string]uint64{}
		for i := range d.len() {
			seqs = append(seqs, d.seq(i))
		}
		n := newNumbering(table, c.skipped)
		n.each(func(i int) { stages[d.key(i)] = n.of(i) })
		if fmt.Sprint(seqs) != c.seqs || next != c.next || fmt.Sprint(stages) != c.stages {
			t.Errorf("%s: %v, next %d, stages %v", c.docs, seqs, next, stages)
		}
	}
}

// What is remembered of a large write is small.
func TestALargeWriteIsRememberedInLittleMemory(t *testing.T) {
	var docs strings.Builder
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&docs, "{\"id\":\"film-%d\"}\n", i)
	}
	before := heapNow()
	d := parsedOutside(t, docs.String())
	table := newIDTable(d)
	table.assign(1, func(string) uint64 { return 0 })
	var o overlay
	o.put(1, newNumbering(table, false))
	if per := (heapNow() - before) / n; per > 90 {
		t.Errorf("%d bytes for each document", per)
	}
	if seq, known := o.get("film-777"); seq != 778 || !known {
		t.Errorf("%d %v", seq, known)
	}
	runtime.KeepAlive(docs)
}

func heapNow() int64 {
	runtime.GC()
	runtime.GC() // what pools hold is let go of at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // a heap is not that large
}
