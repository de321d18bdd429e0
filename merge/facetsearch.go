package merge

import (
	"bytes"
	"cmp"
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
	if spec.Order == Count {
		slices.SortFunc(values, func(a, b facetValue) int {
			if c := cmp.Compare(b.count, a.count); c != 0 {
				return c
			}
			return bytes.Compare(b.raw, a.raw)
		})
	}
	if spec.MaxValues > 0 && len(values) > spec.MaxValues {
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
