package merge

// documentsEnd is what follows the documents in a node's answer.
const documentsEnd = `],"offset":`

// Documents appends to dst the page of documents that one node holding the documents of all legs would give:
// in the order of spec.Sort, then of the insertion number. The error is a *LegError when a leg is not a page of
// documents.
func Documents(dst []byte, spec *DocumentsSpec, legs [][]byte) ([]byte, error) {
	m := newMerger()
	defer m.release()
	m.strip, m.sorts = spec.Strip, spec.Sort
	m.browse = true
	m.addLegs(legs)
	for i := range m.legs {
		if err := m.legs[i].open("results"); err != nil {
			return dst, &LegError{Leg: i, Err: err}
		}
	}
	out := append(dst, `{"results":[`...)
	from := max(spec.Offset, 0)
	to := saturatingAdd(from, max(spec.Limit, 0))
	for rank := 0; rank < to && from < to; rank++ {
		h, err := m.pop()
		if err != nil {
			return dst, err
		}
		if h == nil {
			break
		}
		if rank < from {
			continue
		}
		if rank > from {
			out = append(out, ',')
		}
		out = m.appendHit(out, h)
	}
	var total int64
	for i := range m.legs {
		if err := m.legs[i].tail(documentsEnd); err != nil {
			return dst, &LegError{Leg: i, Err: err}
		}
		total += m.legs[i].total
	}
	out = appendInt(append(out, ']'), `,"offset":`, int64(spec.Offset))
	out = appendInt(out, `,"limit":`, int64(spec.Limit))
	out = appendInt(out, `,"total":`, total)
	return append(out, '}'), nil
}
