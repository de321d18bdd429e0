package merge

import (
	"cmp"
	"math"

	"github.com/miroir-search/miroir/rawjson"
)

// goodEnough is the weighted score from which hits by words make a search by similarity unnecessary.
const goodEnough = 0.45

// WordsSuffice reports whether a hybrid search has to look no further than at the hits by words: there are depth of
// them, and each has a score that is good enough. legs are the answers of the search by words, with `_rankingScore`.
func WordsSuffice(spec *SearchSpec, ratio float32, depth int, legs [][]byte) (bool, error) {
	m := newMerger()
	defer m.release()
	m.addLegs(legs)
	if err := m.readAll(); err != nil {
		return false, err
	}
	m.orderFrom(0, len(m.hits))
	if spec.Distinct != "" {
		m.dedupe(spec.Distinct, 0, depth)
	}
	if len(m.order) < depth {
		return false, nil
	}
	for _, i := range m.order[:depth] {
		if m.hits[i].score*float64(1-ratio) < goodEnough {
			return false, nil
		}
	}
	return true, nil
}

// orderFrom puts the hits of [from, to) into m.order, as one node orders them.
func (m *merger) orderFrom(from, to int) {
	m.order = m.order[:0]
	for i := from; i < to; i++ {
		m.order = append(m.order, int32(i))
	}
	m.refine(m.order, 0, m.totals() < wholeMetres)
}

func (m *merger) totals() (n int64) {
	for i := range m.legs {
		n += m.legs[i].total
	}
	return n
}

// Hybrid appends the answer one node would give to a hybrid search whose hits by words do not suffice: both lists
// joined by weighted scores, hits by similarity first when equal, each document once. words and vectors are the
// answers of the two searches, with `_rankingScore` and ranking score details; those of vectors may end with hits by
// words, which are passed over, and their totals and facets are of all documents that either search finds.
func Hybrid(dst []byte, spec *SearchSpec, ratio float32, words, vectors [][]byte) ([]byte, error) {
	m := newMerger()
	defer m.release()
	m.show(spec)
	m.addLegs(words)
	m.addLegs(vectors)
	if err := m.readAll(); err != nil {
		return dst, err
	}
	byWords, byVector := m.twoLists(len(words))
	out, page := m.appendJoined(appendOpening(dst, spec), spec, ratio, byWords, byVector)
	m.legs = m.legs[len(words):]
	for i := range m.legs {
		m.legs[i].index = int32(i)
	}
	out, err := m.appendTail(append(out, ']'), spec, page)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// twoLists orders the hits by words and those by similarity, each for themselves.
func (m *merger) twoLists(words int) (byWords, byVector []int32) {
	first := 0
	for first < len(m.hits) && int(m.hits[first].leg) < words {
		first++
	}
	m.orderFrom(first, len(m.hits))
	for _, i := range m.order {
		if m.hits[i].semantic {
			byVector = append(byVector, i)
		}
	}
	m.orderFrom(0, first)
	return m.order, byVector
}

// appendJoined appends the page of the joined lists.
func (m *merger) appendJoined(out []byte, spec *SearchSpec, ratio float32, byWords, byVector []int32) ([]byte, page) {
	var p page
	from, to := spec.window()
	seen := make(map[string]struct{}, to)
	var a, b []shared
	for rank := 0; rank < to && len(byWords)+len(byVector) > 0; {
		var next int32
		take := len(byWords) == 0
		if !take && len(byVector) > 0 {
			a = m.share(a[:0], byVector[0], float64(ratio))
			b = m.share(b[:0], byWords[0], float64(1-ratio))
			take = compareShared(a, b) >= 0
		}
		if take {
			next, byVector = byVector[0], byVector[1:]
		} else {
			next, byWords = byWords[0], byWords[1:]
		}
		h := &m.hits[next]
		if _, again := seen[string(h.seq)]; again && len(h.seq) > 0 {
			continue
		}
		seen[string(h.seq)] = struct{}{}
		if spec.Distinct != "" && !m.seen.admit(m, h, spec.Distinct) {
			p.rejected++
			m.reject(h)
			continue
		}
		if rank++; rank <= from {
			continue
		}
		if rank > from+1 {
			out = append(out, ',')
		}
		out = m.appendHit(out, h)
		if h.semantic {
			p.semantic++
		}
	}
	return out, p
}

// shared is one of the values that joined lists are compared by: a score, or what a sort rule says.
type shared struct {
	score float64
	sort  *slot // nil for a score
}

// share lists the values of a hit, scores times its share. A run of rules that judge words is one score.
func (m *merger) share(dst []shared, i int32, share float64) []shared {
	h := &m.hits[i]
	slots := m.slots[h.slots0:h.slots1]
	first := len(dst)
	for at := range slots {
		switch s := &slots[at]; {
		case isRank(s):
			if at == 0 || !isRank(&slots[at-1]) {
				dst = append(dst, shared{score: h.score * share})
			}
		case s.rule == ruleVector:
			dst = append(dst, shared{score: s.a * share})
		case s.rule != rulePin:
			dst = append(dst, shared{sort: s})
		}
	}
	if h.semantic || len(dst)-first < 3 {
		return dst // at most one run, whose score is the hit's
	}
	details, _ := rawjson.Get(m.legs[h.leg].body[h.from:h.to], "_rankingScoreDetails")
	scores := runScores(details)
	for at := first; at < len(dst) && len(scores) > 0; at++ {
		if dst[at].sort == nil {
			dst[at].score, scores = scores[0]*share, scores[1:]
		}
	}
	return dst
}

// compareShared is above 0 when a is better.
func compareShared(a, b []shared) int {
	for i := 0; ; i++ {
		switch {
		case i == len(a) || i == len(b):
			return cmp.Compare(len(a), len(b))
		case a[i].sort != nil && b[i].sort != nil:
			if c := compareSlots(a[i].sort, b[i].sort); c != 0 {
				return -c
			}
		case a[i].sort == nil && b[i].sort == nil:
			if d := a[i].score - b[i].score; math.Abs(d) > epsilon {
				return cmp.Compare(d, 0)
			}
		case a[i].sort == nil: // a score is better than a sort value, but for none at all
			if a[i].score == 0 {
				return -1
			}
			return 1
		default:
			if b[i].score == 0 {
				return 1
			}
			return -1
		}
	}
}
