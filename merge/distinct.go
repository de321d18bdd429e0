package merge

import (
	"slices"
)

// Distinct is what the hits of several legs, each distinct in itself, are together.
type Distinct struct {
	// Total is how many of them are left when each value is kept once.
	Total int64
	// Rejected are the hits that are not, parts of the legs.
	Rejected [][]byte
	// Complete says that all legs gave all their hits, so that Total is exact.
	Complete bool
}

// CountDistinct counts what is left of the hits of all legs when each value of the attribute is kept once, in the
// order of insertion. Hits that a leg did not give count as if no other leg had their values.
func CountDistinct(attribute string, legs [][]byte) (Distinct, error) {
	m := newMerger()
	defer m.release()
	m.addLegs(legs)
	if err := m.readAll(); err != nil {
		return Distinct{}, err
	}
	d := Distinct{Complete: true}
	for i := range m.legs {
		d.Total += m.legs[i].total
		d.Complete = d.Complete && int64(m.legs[i].count) >= m.legs[i].total
	}
	m.order = m.order[:0]
	for i := range m.hits {
		m.order = append(m.order, int32(i))
	}
	slices.SortFunc(m.order, func(a, b int32) int { return compareTies(&m.hits[a], &m.hits[b]) })
	d.Total -= m.dedupe(attribute, 0, maxInt)
	d.Rejected = append(d.Rejected, m.rejects...)
	return d, nil
}

// Judged are the hits that a node has looked at when its page is full: those up to the page's end, and all that the
// rules leave equal to the last. Documents that share a value of the distinct attribute with one of them no longer count.
type Judged struct {
	// Values are their values of the attribute, as JSON; each of Hits has one or more of them.
	Values, Hits [][]byte
	// Short says that a leg that may have more hits was used up before.
	Short bool
}

// JudgeDistinct finds them among the hits of legs that were asked for spec.LegDepth hits each.
func JudgeDistinct(spec *SearchSpec, legs [][]byte) (Judged, error) {
	m := newMerger()
	defer m.release()
	m.addLegs(legs)
	if err := m.readAll(); err != nil {
		return Judged{}, err
	}
	m.orderFrom(0, len(m.hits))
	left := make([]int, len(m.legs))
	for i := range m.hits {
		left[m.hits[i].leg]++
	}
	to := spec.Looked()
	j, kept := Judged{}, 0
	var last *hit
	for _, i := range m.order {
		h := &m.hits[i]
		if kept >= to && (last == nil || last.slots0 == last.slots1 || m.compareKeys(last, h) != 0) {
			return j, nil
		}
		if m.seen.admit(m, h, spec.Distinct) {
			kept, last = kept+1, h
			if err := j.note(m.legs[h.leg].body[h.from:h.to], spec.Distinct); err != nil {
				return j, err
			}
		}
		if left[h.leg]--; left[h.leg] == 0 && spec.LegDepth > 0 && int(m.legs[h.leg].count) >= spec.LegDepth {
			j.Short = true
			return j, nil
		}
	}
	return j, nil
}

func (j *Judged) note(doc []byte, attribute string) error {
	before := len(j.Values)
	err := eachValue(doc, attribute, func(v []byte) { j.Values = append(j.Values, v) })
	if len(j.Values) > before {
		j.Hits = append(j.Hits, doc)
	}
	return err
}
