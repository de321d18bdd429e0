package http

import (
	"slices"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/auth"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/rawjson"
)

// ruleFor is the filter that the token demands for an index; nil is none.
func (c *call) ruleFor(index string) *api.Value {
	if c.grant.Filter == nil {
		return nil
	}
	return c.grant.Filter(index)
}

// withRule adds the token's filter for an index to the body of a search. The body is
// read and written anew: whatever way its own filter was spelled, there is one
// afterwards, and it has both parts.
func (c *call) withRule(index string, body []byte) ([]byte, error) {
	rule := c.ruleFor(index)
	if rule == nil {
		return body, nil
	}
	v, err := c.parse(body)
	switch {
	case err != nil:
		return nil, err
	case v.Kind != api.Object:
		return nil, api.WrongType("bad_request", api.At{}, v, api.Object)
	}
	v = addFilter(v, rule)
	return []byte(v.String()), nil
}

// addFilter is the object with the filter joined to its own.
func addFilter(v api.Value, rule *api.Value) api.Value {
	own := slices.IndexFunc(v.Obj, func(m api.Member) bool { return m.Key == "filter" })
	members := slices.Clone(v.Obj)
	if own < 0 {
		members = append(members, api.Member{Key: "filter", Value: *rule})
	} else {
		members[own].Value = *auth.JoinFilters(&members[own].Value, rule)
	}
	return api.Value{Kind: api.Object, Obj: members}
}

// federatedWithRules adds the token's filters to the queries of a federated search.
// The body was decoded before.
func (c *call) federatedWithRules(m *api.MultiSearch, v api.Value, body []byte) []byte {
	if c.grant.Filter == nil {
		return body
	}
	members := slices.Clone(v.Obj)
	for i := range members {
		if members[i].Key != "queries" {
			continue
		}
		queries := slices.Clone(members[i].Value.Arr)
		for j := range queries {
			if rule := c.ruleFor(m.Queries[j].IndexUID); rule != nil {
				queries[j] = addFilter(queries[j], rule)
			}
		}
		members[i].Value = api.Value{Kind: api.Array, Arr: queries}
	}
	whole := api.Value{Kind: api.Object, Obj: members}
	return []byte(whole.String())
}

// similarUnderRule is a search for similar documents with a token that demands a
// filter: it limits what is found, and which document may be asked about. That one is
// looked for only once the search is known to be right, so that other errors come first.
func similarUnderRule(c *call, index string, rule *api.Value, body []byte) error {
	ruled, err := c.withRule(index, body)
	if err != nil {
		return err
	}
	a := c.s.opts.Door.Read(c.ctx(), &messages.Similar{IndexUID: index, Body: ruled})
	if err := c.outcome(a); err != nil {
		return err
	}
	v, err := api.ParseJSON(body)
	if err != nil {
		return malformed(err)
	}
	q, bad := api.DecodeSimilar(v)
	if bad != nil {
		return bad
	}
	id := q.ID.Str
	if q.ID.Kind != api.String {
		id = q.ID.String()
	}
	ask, err := api.Marshal(map[string]any{"ids": []string{id}, "filter": rule, "limit": 0})
	if err != nil {
		return err
	}
	seen := c.s.opts.Door.Read(c.ctx(), &messages.BrowseDocuments{IndexUID: index, Body: ask})
	if err := c.outcome(seen); err != nil {
		return err
	}
	if total, _ := rawjson.Get(seen.Body, "total"); string(total) != "1" {
		return api.SimilarNotFound(id)
	}
	return c.bytes(statusOr(a.Status, 200), a.Body)
}

// outcome notes what an answer cost and gives the error in it, whichever way the door
// said it.
func (c *call) outcome(a *messages.Answer) error {
	if a != nil {
		c.nodes += a.Nodes
		c.degradeMore(a.Degraded)
	}
	return answerError(a)
}
