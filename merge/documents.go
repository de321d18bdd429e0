package merge

import (
	"cmp"
	"slices"
)

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
	if slices.ContainsFunc(spec.Sort, func(f SortField) bool { return f.Field == "" }) {
		return m.byDistance(dst, spec)
	}
	for i := range m.legs {
		if err := m.legs[i].open("results"); err != nil {
			return dst, &LegError{Leg: i, Err: err}
		}
	}
	out := append(dst, `{"results":[`...)
	from := max(spec.Offset, 0)
	to := SaturatingAdd(from, max(spec.Limit, 0))
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
	return spec.end(out, total), nil
}

// end appends what follows the documents.
func (spec *DocumentsSpec) end(out []byte, total int64) []byte {
	out = appendInt(append(out, ']'), `,"offset":`, int64(spec.Offset))
	out = appendInt(out, `,"limit":`, int64(spec.Limit))
	out = appendInt(out, `,"total":`, total)
	return append(out, '}')
}

// byDistance does what Documents does where a sort by distance is among the sorts: all documents are read before any
// is ordered.
func (m *merger) byDistance(dst []byte, spec *DocumentsSpec) ([]byte, error) {
	lists, err := m.readLists()
	if err != nil {
		return dst, err
	}
	var total int64
	for i := range m.legs {
		total += m.legs[i].total
	}
	hits := m.mergeLists(lists, total < wholeMetres)
	from := min(max(spec.Offset, 0), len(hits))
	to := min(SaturatingAdd(from, max(spec.Limit, 0)), len(hits))
	out := append(dst, `{"results":[`...)
	for i, h := range hits[from:to] {
		if i > 0 {
			out = append(out, ',')
		}
		out = m.appendHit(out, &m.hits[h])
	}
	return spec.end(out, total), nil
}

// StripDocuments appends the page of a node that was asked alone, for exactly the client's page, without the members
// of documents that the client must not see. The error is a *LegError when the leg is not a page of documents.
func StripDocuments(dst, body []byte) ([]byte, error) {
	m := newMerger()
	defer m.release()
	m.browse = true
	m.addLeg(body)
	l := &m.legs[0]
	err := l.open("results")
	for n := int32(0); err == nil && n >= 0; {
		n, err = m.readHit(l)
	}
	if err == nil {
		err = l.tail("")
	}
	if err != nil {
		return dst, &LegError{Err: err}
	}
	slices.SortStableFunc(m.edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	return m.appendHit(dst, &hit{to: len(body), edits1: int32(len(m.edits))}), nil
}
