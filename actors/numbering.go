package actors

import (
	"hash/maphash"
	"math"
	"math/bits"
)

// A write of many documents is remembered until nodes show it. What that needs for
// each of them is a few bytes beside the id, which is where it came in.

// idTable finds the first position of an id among documents: an open hash table of
// positions. Ids themselves are compared, so no two are ever mixed up.
type idTable struct {
	docs     *documents
	slots    []uint32 // position + 1, 0 for none
	distinct int
}

// idSeed is one for all tables, so that an id is looked for in several with one hash.
var idSeed = maphash.MakeSeed()

func hashID(id string) uint64 { return maphash.String(idSeed, id) }

// newIDTable takes in all ids of documents.
func newIDTable(docs *documents) *idTable {
	n := docs.len()
	t := &idTable{docs: docs, slots: make([]uint32, n+n/2+1)}
	for i := range n {
		id := docs.look(i)
		slot, found := t.slot(id, hashID(id))
		if found < 0 {
			t.slots[slot] = uint32(i) + 1 //nolint:gosec // a payload has fewer bytes
			t.distinct++
		}
	}
	return t
}

// slot gives the first position of an id, or -1 and the slot that it would have.
func (t *idTable) slot(id string, hash uint64) (slot, found int) {
	at, _ := bits.Mul64(hash, uint64(len(t.slots)))
	for slot = int(at); ; { //nolint:gosec // below the number of slots
		switch p := t.slots[slot]; {
		case p == 0:
			return slot, -1
		case t.docs.look(int(p-1)) == id:
			return slot, int(p - 1)
		}
		if slot++; slot == len(t.slots) {
			slot = 0
		}
	}
}

// find gives the first position of an id, -1 for none.
func (t *idTable) find(id string) int {
	_, found := t.slot(id, hashID(id))
	return found
}

// first gives the position of the first document that has the id of document i.
func (t *idTable) first(i int) int {
	if t.distinct == t.docs.len() {
		return i
	}
	return t.find(t.docs.look(i))
}

// each calls f with the first position of every id, in no order.
func (t *idTable) each(f func(i int)) {
	for _, p := range t.slots {
		if p != 0 {
			f(int(p - 1))
		}
	}
}

// numbering is what a write does to its ids: the insertion number that each has
// then, 0 when there is no such document then.
type numbering struct {
	*idTable
	unmade uint64 // documents with numbers from here on are not made
}

// newNumbering is for documents that have their numbers. With skipped, those that
// have a number from the write's first new one on are not made.
func newNumbering(t *idTable, skipped bool) *numbering {
	n := &numbering{t, math.MaxUint64}
	if skipped && t.docs.base != 0 {
		n.unmade = t.docs.base
	}
	return n
}

// of gives the number of the document at a position.
func (n *numbering) of(i int) uint64 {
	if n.docs.batch == nil {
		return 0
	}
	if seq := n.docs.seq(i); seq < n.unmade {
		return seq
	}
	return 0
}

// get gives the number of an id; known is false when the write does not have it.
func (n *numbering) get(id string, hash uint64) (seq uint64, known bool) {
	if _, i := n.slot(id, hash); i >= 0 {
		return n.of(i), true
	}
	return 0, false
}

// assign gives every document its insertion number: the one that known has for its
// id, or the next free one. next is what is free afterwards.
func (t *idTable) assign(base uint64, known func(id string) uint64) (next uint64) {
	d := t.docs
	d.base, d.seqs, next = base, nil, base
	for i := range d.len() {
		seq := uint64(0)
		if first := t.first(i); first < i {
			seq = d.seq(first)
		} else if seq = known(d.look(i)); seq == 0 {
			seq = next
			next++
		}
		if d.seqs == nil && seq != d.seq(i) { // no longer consecutive
			d.seqs = make([]uint64, d.len())
			for j := range i {
				d.seqs[j] = base + uint64(j) //nolint:gosec // positions are not negative
			}
		}
		if d.seqs != nil {
			d.seqs[i] = seq
		}
	}
	return next
}
