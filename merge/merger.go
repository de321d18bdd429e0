package merge

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"github.com/miroir-search/miroir/weaken"
)

// edit replaces the bytes [from, to) of a leg by text when a hit is copied; most edits only cut.
type edit struct {
	from, to int
	text     []byte
}

// hit is one element of a leg's list: where it lies and what decides its place.
type hit struct {
	leg, pos       int32 // which leg, and the how-manieth there
	from, to       int   // the object's bytes in the leg
	slots0, slots1 int32 // its ranking values in merger.slots
	edits0, edits1 int32 // what to leave out of the copy, in merger.edits
	seq            []byte
	geo            []byte
	details        []byte // its ranking details and what follows, in a federated search
	score          float64
	semantic       bool
	slow           bool
}

// merger is the working memory of one merge. Nothing in it survives the call, so it is pooled.
type merger struct {
	legs  []leg
	hits  []hit
	slots []slot
	edits []edit
	text  []byte // unescaped strings
	hide  []string
	strip []string

	unasked Unasked

	sorts []SortField

	keepScore, keepDetails bool
	browse                 bool // hits are bare documents
	alone                  bool // there is one leg and its order stands

	fed *federation // in a federated search

	memo [memo]ruleMemo

	order   []int32 // slow path: indexes into hits
	rejects [][]byte
	pins    []int32
	dist    []float64
	facets  facetMerger
	seen    distinctSet
}

var mergers = sync.Pool{New: func() any { return new(merger) }}

// maxPooled bounds what an idle merger may keep, in hits; a merger grown past it is left to the collector.
const maxPooled = 1 << 14

func newMerger() *merger { return mergers.Get().(*merger) }

// release empties m and gives it back; references into the legs are dropped so that bodies can be freed.
func (m *merger) release() {
	if cap(m.hits) > maxPooled || cap(m.text) > 1<<20 || cap(m.facets.values) > maxPooled {
		return
	}
	for i := range m.legs {
		run := m.legs[i].run
		m.legs[i] = leg{run: run[:0]}
	}
	clear(m.hits)
	clear(m.slots)
	clear(m.edits)
	clear(m.rejects)
	m.facets.reset()
	m.seen.reset()
	*m = merger{
		legs: m.legs[:0], hits: m.hits[:0], slots: m.slots[:0], edits: m.edits[:0], text: m.text[:0],
		order: m.order[:0], rejects: m.rejects[:0], pins: m.pins[:0], dist: m.dist[:0], facets: m.facets, seen: m.seen,
	}
	mergers.Put(m)
}

// addLeg adds a leg, keeping the buffer of one used before.
func (m *merger) addLeg(body []byte) {
	n := len(m.legs)
	if n < cap(m.legs) {
		m.legs = m.legs[:n+1]
	} else {
		m.legs = append(m.legs, leg{})
	}
	m.legs[n] = leg{body: body, index: int32(n), next: -1, run: m.legs[n].run[:0]}
}

func (m *merger) addLegs(bodies [][]byte) {
	for _, body := range bodies {
		m.addLeg(body)
	}
}

// compareKeys orders two hits by the ranking rules alone; negative means x is better.
func (m *merger) compareKeys(x, y *hit) int {
	if weaken.Details {
		return cmp.Compare(y.score, x.score)
	}
	xs, ys := m.slots[x.slots0:x.slots1], m.slots[y.slots0:y.slots1]
	for i := range min(len(xs), len(ys)) {
		a, b := &xs[i], &ys[i]
		if c := compareSlots(a, b); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(ys), len(xs))
}

// compareTies orders hits that the rules leave equal: by insertion number, then by leg and place in it, so that
// the order is total. A hit without a number comes after those that have one.
func compareTies(x, y *hit) int {
	if weaken.Sequence {
		return cmp.Or(cmp.Compare(x.leg, y.leg), cmp.Compare(x.pos, y.pos))
	}
	if len(x.seq) == 0 || len(y.seq) == 0 {
		if c := cmp.Compare(len(y.seq), len(x.seq)); c != 0 {
			return c
		}
	} else if c := bytes.Compare(x.seq, y.seq); c != 0 {
		return c
	}
	if c := cmp.Compare(x.leg, y.leg); c != 0 {
		return c
	}
	return cmp.Compare(x.pos, y.pos)
}

// compare is the total order of hits.
func (m *merger) compare(x, y *hit) int {
	if c := m.compareKeys(x, y); c != 0 {
		return c
	}
	return compareTies(x, y)
}

// sortTies sorts a run of hits that the rules leave equal; it usually is in order already.
func (m *merger) sortTies(run []int32) {
	byTie := func(a, b int32) int { return compareTies(&m.hits[a], &m.hits[b]) }
	if !slices.IsSortedFunc(run, byTie) {
		slices.SortFunc(run, byTie)
	}
}

// appendHit copies a hit with its edits made.
func (m *merger) appendHit(dst []byte, h *hit) []byte {
	body := m.legs[h.leg].body
	at := h.from
	for i := h.edits0; i < h.edits1; i++ {
		e := &m.edits[i]
		dst = append(dst, body[at:e.from]...)
		dst = append(dst, e.text...)
		at = e.to
	}
	return append(dst, body[at:h.to]...)
}
