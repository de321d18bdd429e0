package merge

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/miroir-search/miroir/rawjson"
)

// SimilarSpec says what a client that asks for similar documents wants. The legs are answers of semantic searches,
// asked for one hit more than Offset+Limit, with ranking score details.
type SimilarSpec struct {
	// ID is the target, as the JSON string that is echoed.
	ID []byte
	// Target is the insertion number of the target, which is never shown.
	Target []byte
	// TargetCounted says that the totals of the legs count the target.
	TargetCounted bool
	// Offset and Limit select the hits and are echoed.
	Offset, Limit int
	// Threshold, when not nil, is the score that hits must have.
	Threshold *float64
	// MaxTotalHits is the index setting M, at which the total is capped; 0 means no bound.
	MaxTotalHits int
	// ShowRankingScore, ShowRankingScoreDetails and Strip are as in SearchSpec.
	ShowRankingScore, ShowRankingScoreDetails bool
	Strip                                     []string
	// Performance says that the client asked for `performanceDetails`.
	Performance bool
}

// Similar appends the answer one node would give to a request for similar documents. lists has the answers of the
// legs for each vector of the target; a document counts by the vector that it is nearest to. Documents without
// vectors count in the total only. The error is a *LegError when a leg is not a search answer.
func Similar(dst []byte, spec *SimilarSpec, lists [][][]byte) ([]byte, error) {
	m := newMerger()
	defer m.release()
	m.strip, m.keepScore = spec.Strip, spec.ShowRankingScore
	for _, legs := range lists {
		m.addLegs(legs)
	}
	if err := m.readAll(); err != nil {
		return dst, err
	}
	var total, millis int64
	var performance []byte
	for i := range m.legs {
		if len(lists) > 0 && i < len(lists[0]) {
			total += m.legs[i].total
		}
		if l := &m.legs[i]; l.millis >= millis {
			millis, performance = l.millis, l.performance
		}
	}
	if spec.TargetCounted {
		total--
	}
	out := append(dst, `{"hits":[`...)
	out, total = m.appendNearest(out, spec, total)
	out = append(append(out, `],"id":`...), spec.ID...)
	out = appendInt(out, `,"processingTimeMs":`, millis)
	if spec.MaxTotalHits > 0 {
		total = min(total, int64(spec.MaxTotalHits))
	}
	out = appendInt(out, `,"limit":`, int64(spec.Limit))
	out = appendInt(out, `,"offset":`, int64(spec.Offset))
	out = appendInt(out, `,"estimatedTotalHits":`, total)
	if spec.Performance {
		out = appendRaw(out, `,"performanceDetails":`, performance)
	}
	return append(out, '}'), nil
}

// appendNearest appends the hits of the page. A threshold ends the list at the first hit below it, and the total then
// counts what a node has seen before, those before the page included.
func (m *merger) appendNearest(out []byte, spec *SimilarSpec, total int64) ([]byte, int64) {
	m.sortNearest(spec.Target)
	rank, to := 0, SaturatingAdd(spec.Offset, spec.Limit)
	for _, i := range m.order {
		h := &m.hits[i]
		s := m.vectorSlot(h)
		if rank == to || s.a == 0 && m.withoutVector(h) {
			break
		}
		if rank++; rank <= spec.Offset {
			continue
		}
		if spec.Threshold != nil && s.a < *spec.Threshold {
			return out, int64(rank - 1)
		}
		if rank > spec.Offset+1 {
			out = append(out, ',')
		}
		out = m.appendNear(out, h, spec)
	}
	return out, total
}

// sortNearest puts all hits but the target into m.order, each document once, the nearest first.
func (m *merger) sortNearest(target []byte) {
	m.order = m.order[:0]
	for i := range m.hits {
		if len(target) == 0 || !bytes.Equal(m.hits[i].seq, target) {
			m.order = append(m.order, int32(i))
		}
	}
	bySeq := func(a, b int32) int {
		if c := compareTies(&m.hits[a], &m.hits[b]); !m.sameDocument(a, b) {
			return c
		}
		return cmp.Compare(m.vectorSlot(&m.hits[b]).a, m.vectorSlot(&m.hits[a]).a)
	}
	slices.SortFunc(m.order, bySeq)
	m.order = slices.CompactFunc(m.order, m.sameDocument)
	slices.SortStableFunc(m.order, func(a, b int32) int {
		return cmp.Compare(m.vectorSlot(&m.hits[b]).a, m.vectorSlot(&m.hits[a]).a)
	})
}

// sameDocument reports whether two hits, found by different vectors, are one document.
func (m *merger) sameDocument(a, b int32) bool {
	x, y := m.hits[a].seq, m.hits[b].seq
	return len(x) > 0 && bytes.Equal(x, y)
}

func (m *merger) vectorSlot(h *hit) *slot {
	for i := h.slots0; i < h.slots1; i++ {
		if m.slots[i].rule == ruleVector {
			return &m.slots[i]
		}
	}
	return &noSlot
}

// similarity is the text of a hit's similarity.
func (m *merger) similarity(h *hit) []byte {
	details, _ := rawjson.Get(m.legs[h.leg].body[h.from:h.to], "_rankingScoreDetails")
	vector, _ := rawjson.Get(details, "vectorSort")
	text, _ := rawjson.Get(vector, "similarity")
	return text
}

func (m *merger) withoutVector(h *hit) bool {
	text := m.similarity(h)
	return len(text) == 0 || text[0] == 'n'
}

// appendNear appends a hit. Its details are those of the similarity alone: custom ranking rules, which order
// searches, have no part in this.
func (m *merger) appendNear(out []byte, h *hit, spec *SimilarSpec) []byte {
	out = m.appendHit(out, h)
	if !spec.ShowRankingScoreDetails {
		return out
	}
	out = out[:len(out)-1] // the brace
	if out[len(out)-1] != '{' {
		out = append(out, ',')
	}
	out = append(out, `"_rankingScoreDetails":{"vectorSort":{"order":0,"similarity":`...)
	return append(append(out, m.similarity(h)...), `}}}`...)
}
