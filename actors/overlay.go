package actors

// overlay remembers the insertion numbers of documents whose writes are not
// settled yet, so that an id keeps its number although the nodes may not show
// it. It is pure and belongs to one sequencer.
type overlay struct {
	known map[string]knownSeq // of small writes
	order []overlayWrite      // by entry
	large []largeWrite        // by entry: looked through from the last one
	count int                 // ids of large
	// emptySince is the entry of a clear that is not settled: an id that is not
	// known does not exist.
	emptySince int64
}

type knownSeq struct {
	seq uint64 // 0: the document does not exist
	lsn int64
}

type overlayWrite struct {
	lsn int64
	ids []string
}

type largeWrite struct {
	lsn int64
	ids *numbering
}

// Large writes are kept as they are, which takes a third of the memory that the
// map takes. They are few, because each id is looked for in all of them.
const (
	largeFrom  = 4096
	largeMost  = 32
	hugeFrom   = 50_000 // beyond largeMost; maxOverlay bounds those
	noneIsThis = -1
)

func (o *overlay) len() int { return len(o.known) + o.count }

// get returns the number of a document, 0 when it does not exist; known is
// false when only the nodes can tell.
func (o *overlay) get(id string) (seq uint64, known bool) {
	k, ok := o.known[id]
	if !ok {
		k.lsn = noneIsThis
	}
	if len(o.large) > 0 {
		hash := hashID(id)
		for i := len(o.large) - 1; i >= 0 && o.large[i].lsn > k.lsn; i-- {
			if seq, known := o.large[i].ids.get(id, hash); known {
				return seq, true
			}
		}
	}
	return k.seq, ok || o.emptySince != 0
}

// put records what an entry does to the ids.
func (o *overlay) put(lsn int64, n *numbering) {
	if n == nil || n.distinct == 0 {
		return
	}
	if n.docs.lasting() && (n.distinct >= hugeFrom || n.distinct >= largeFrom && len(o.large) < largeMost) {
		o.large = append(o.large, largeWrite{lsn, n})
		o.count += n.distinct
		return
	}
	if o.known == nil {
		o.known = make(map[string]knownSeq, n.distinct)
	}
	ids := make([]string, 0, n.distinct)
	n.each(func(i int) {
		id := n.docs.key(i)
		o.known[id] = knownSeq{n.of(i), lsn}
		ids = append(ids, id)
	})
	o.order = append(o.order, overlayWrite{lsn, ids})
}

// clear records that an entry removes all documents.
func (o *overlay) clear(lsn int64) {
	*o = overlay{emptySince: lsn}
}

// settle forgets what the nodes show by now: all entries up to lsn.
func (o *overlay) settle(lsn int64) {
	for len(o.order) > 0 && o.order[0].lsn <= lsn {
		for _, id := range o.order[0].ids {
			if o.known[id].lsn == o.order[0].lsn {
				delete(o.known, id)
			}
		}
		o.order = o.order[1:]
	}
	if len(o.order) == 0 {
		o.known, o.order = nil, nil // they would keep the room that they had
	}
	for len(o.large) > 0 && o.large[0].lsn <= lsn {
		o.count -= o.large[0].ids.distinct
		o.large[0].ids = nil
		o.large = o.large[1:]
	}
	if o.emptySince <= lsn {
		o.emptySince = 0
	}
}
