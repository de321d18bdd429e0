package merge

import (
	"bytes"
	"cmp"
	"container/heap"
	"slices"
	"strconv"

	"github.com/miroir-search/miroir/rawjson"
)

// FacetSearchSpec says what a client that searches the values of a facet asked for.
type FacetSearchSpec struct {
	// Order is the facet's order of values.
	Order Order
	// MaxValues is the client's faceting setting K; 0 means no bound. To be exact for Count the legs must not
	// have been cut at K.
	MaxValues int
	// Asked says that the client gave a text to look for. A node then goes through the values in the order of their
	// folded form, in which accents do not count.
	Asked bool
	// Query is written as `facetQuery` when it is not nil (raw JSON), else the first leg's.
	Query []byte
	// ProcessingTimeMs is written when it is above 0, else the slowest leg's time.
	ProcessingTimeMs int64
}

// FacetSearch appends the answer one node would give to a facet search: counts added by normalized value, in
// order, cut to the client's bound. The error is a *LegError when a leg is not such an answer.
func FacetSearch(dst []byte, spec *FacetSearchSpec, legs [][]byte) ([]byte, error) {
	m := newMerger()
	defer m.release()
	query, millis := spec.Query, int64(0)
	for i, body := range legs {
		q, ms, err := m.readFacetHits(body)
		if err != nil {
			return dst, &LegError{Leg: i, Err: err}
		}
		if query == nil {
			query = q
		}
		millis = max(millis, ms)
	}
	if query == nil {
		query = []byte("null")
	}
	if spec.ProcessingTimeMs > 0 {
		millis = spec.ProcessingTimeMs
	}
	values := m.facets.add()
	if spec.Asked {
		m.sortFolded(values)
	}
	switch {
	case spec.Order == Count:
		values = mostFrequent(values, spec.MaxValues)
	case spec.MaxValues > 0 && len(values) > spec.MaxValues:
		values = values[:spec.MaxValues]
	}
	out := append(dst, `{"facetHits":[`...)
	for i := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, `{"value":"`...), values[i].raw...), `","count":`...)
		out = append(strconv.AppendInt(out, values[i].count, 10), '}')
	}
	out = append(append(out, `],"facetQuery":`...), query...)
	out = appendInt(out, `,"processingTimeMs":`, millis)
	return append(out, '}'), nil
}

// sortFolded puts joined values into the order of their folded form.
func (m *merger) sortFolded(values []facetValue) {
	for i := range values {
		v := &values[i]
		if v.folded = v.filed; ascii(v.filed) {
			continue
		}
		from := len(m.text)
		m.text = appendFolded(m.text, v.filed)
		v.folded = m.text[from:len(m.text):len(m.text)]
	}
	slices.SortStableFunc(values, func(a, b facetValue) int { return bytes.Compare(a.folded, b.folded) })
}

// mostFrequent keeps the k values (0: all) of the highest count, in that order, equal ones by descending spelling.
// A node meets the values in the order given and holds the best so far in a heap, in which a newcomer takes the
// place of the worst even when it is only as frequent; so it does here.
func mostFrequent(values []facetValue, k int) []facetValue {
	best := byCount(values)
	if k > 0 && len(values) > k {
		best = best[:k:k]
		heap.Init(&best)
		for _, v := range values[k:] {
			if best[0].count <= v.count {
				best[0] = v
				heap.Fix(&best, 0)
			}
		}
	}
	slices.SortFunc(best, func(a, b facetValue) int { return -compareFrequency(&a, &b) })
	return best
}

// byCount is a heap of values with the least frequent on top.
type byCount []facetValue

func (h byCount) Len() int           { return len(h) }
func (h byCount) Less(i, j int) bool { return compareFrequency(&h[i], &h[j]) < 0 }
func (h byCount) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push does nothing: the size is fixed.
func (h *byCount) Push(any) {}

// Pop does nothing: the size is fixed.
func (h *byCount) Pop() any { return nil }

func compareFrequency(a, b *facetValue) int {
	if c := cmp.Compare(a.count, b.count); c != 0 {
		return c
	}
	return compareNames(a.raw, b.raw)
}

// readFacetHits appends one leg's values to m.facets.values.
func (m *merger) readFacetHits(body []byte) (query []byte, millis int64, err error) {
	list := []byte(nil)
	var it rawjson.Members
	for it.Init(body); it.Next(); {
		switch string(it.Key) {
		case "facetHits":
			list = it.Value
		case "facetQuery":
			query = it.Value
		case "processingTimeMs":
			millis, _ = rawjson.ParseInt(it.Value)
		}
	}
	if it.Err != nil {
		return nil, 0, it.Err
	}
	if list == nil {
		return nil, 0, errNoList
	}
	return query, millis, eachElement(list, func(e []byte) error {
		var v facetValue
		var hit rawjson.Members
		for hit.Init(e); hit.Next(); {
			switch string(hit.Key) {
			case "value":
				if n := len(hit.Value); n >= 2 && hit.Value[0] == '"' {
					v.raw = hit.Value[1 : n-1]
				}
			case "count":
				v.count, _ = rawjson.ParseInt(hit.Value)
			}
		}
		if hit.Err != nil {
			return hit.Err
		}
		if v.raw == nil {
			return errNotHit
		}
		if err := m.file(&v); err != nil {
			return err
		}
		m.facets.values = append(m.facets.values, v)
		return nil
	})
}
