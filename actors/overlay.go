package actors

// overlay remembers the insertion numbers of documents whose writes are not
// settled yet, so that an id keeps its number although the nodes may not show
// it. It is pure and belongs to one sequencer.
type overlay struct {
	known map[string]knownSeq
	order []overlayWrite // by entry
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

func (o *overlay) len() int { return len(o.known) }

// get returns the number of a document, 0 when it does not exist; known is
// false when only the nodes can tell.
func (o *overlay) get(id string) (seq uint64, known bool) {
	if k, ok := o.known[id]; ok {
		return k.seq, true
	}
	return 0, o.emptySince != 0
}

// put records what an entry does to the ids.
func (o *overlay) put(lsn int64, staged map[string]uint64) {
	if len(staged) == 0 {
		return
	}
	if o.known == nil {
		o.known = make(map[string]knownSeq, len(staged))
	}
	ids := make([]string, 0, len(staged))
	for id, seq := range staged {
		o.known[id] = knownSeq{seq, lsn}
		ids = append(ids, id)
	}
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
	if o.emptySince <= lsn {
		o.emptySince = 0
	}
}
