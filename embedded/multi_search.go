package embedded

import (
	"fmt"
	"net/http"
	"time"

	"github.com/miroir-search/miroir/api"
)

func multiSearch(r *request) (*reply, *api.Error) {
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	m, err := api.DecodeMultiSearch(v)
	if err != nil {
		return nil, err
	}
	for i := range m.Queries {
		if !r.access.allows(m.Queries[i].IndexUID) {
			return nil, insideQuery(i, api.InvalidAPIKey())
		}
	}
	if m.Federation != nil {
		return r.federatedSearch(m)
	}
	uid := ""
	if !r.core.legacy {
		uid = newRequestUID()
	}
	b := []byte(`{"results":[`)
	for i := range m.Queries {
		started := time.Now()
		q := &m.Queries[i]
		if q.Options != nil {
			return nil, insideQuery(i, api.NewError("invalid_multi_search_federation_options", "Using `federationOptions` is not "+
				"allowed in a non-federated search.\n - Hint: remove `federationOptions` from the query or add `federation` to the request."))
		}
		res, x, err := r.runSearch(q.IndexUID, &q.SearchQuery)
		if err != nil {
			return nil, insideQuery(i, err)
		}
		a := newAnswer(&q.SearchQuery, res, x, r.metadataWanted())
		a.indexUID, a.uid, a.took = q.IndexUID, uid, time.Since(started)
		if i > 0 {
			b = append(b, ',')
		}
		b = a.append(b)
	}
	return &reply{status: http.StatusOK, raw: append(b, ']', '}')}, nil
}

// insideQuery says which query an error is about. A missing index is 400 here, not 404.
func insideQuery(i int, err *api.Error) *api.Error {
	err = err.Prefixed(fmt.Sprintf("Inside `.queries[%d]`: ", i))
	if err.Code == "index_not_found" {
		return err.WithStatus(http.StatusBadRequest)
	}
	return err
}
