package actors

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// raisedFacetValues is what nodes are told for maxValuesPerFacet when facet
// values are ordered by count: a shard's own best values need not be the best
// overall, so nodes must send them all.
const raisedFacetValues = 1 << 31

// nodeSettings turns the client's settings of an index into what its nodes are
// sent: the members named by keys (all when nil), with what Miroir needs added.
// The values are absolute, so sending them twice does no harm.
func nodeSettings(s *api.Settings, keys []string) (json.RawMessage, error) {
	n := s.Clone()
	n.Chat = nil // clients see it, nodes have no use for it
	n.FilterableAttributes = withShardRule(s.FilterableAttributes)
	n.DisplayedAttributes = append(slices.Clone(s.DisplayedAttributes), addedDisplayed(s)...)
	withTemplates(n.Embedders)
	if raisesFacetValues(s) {
		n.Faceting.MaxValuesPerFacet = raisedFacetValues
	}
	all, err := json.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	if keys == nil {
		return all, nil
	}
	if slices.Contains(keys, "sortableAttributes") || slices.Contains(keys, "rankingRules") || slices.Contains(keys, "distinctAttribute") {
		keys = append(slices.Clone(keys), "displayedAttributes")
	}
	wanted := func(key []byte) bool {
		return !slices.ContainsFunc(keys, func(k string) bool { return rawjson.KeyEquals(key, k) })
	}
	return rawjson.Remove(nil, all, wanted), nil
}

// changedSettings is nodeSettings for nodes that have other settings so far: an
// embedder that is to go must be named, because nodes keep those that are not.
func changedSettings(before, after *api.Settings, keys []string) (json.RawMessage, error) {
	all, err := nodeSettings(after, keys)
	if err != nil {
		return nil, err
	}
	embedders, named := rawjson.Get(all, "embedders")
	if !named {
		return all, nil
	}
	for name := range before.Embedders {
		if _, kept := after.Embedders[name]; !kept {
			embedders = rawjson.Set(nil, embedders, name, []byte("null"))
		}
	}
	return rawjson.Set(nil, all, "embedders", embedders), nil
}

// raisesFacetValues reports whether nodes send more values of a facet than the
// client may see.
func raisesFacetValues(s *api.Settings) bool {
	for _, order := range s.Faceting.SortFacetValuesBy {
		if order == "count" {
			return true
		}
	}
	return false
}

// withShardRule adds the rule that makes the shard field filterable. It comes
// last, so that the numbers of the client's own rules in error texts stay; and it
// is a plain name, because a node takes any pattern for a facet, such as a star,
// that meets the pattern of a rule, but not the name of one.
func withShardRule(rules []api.FilterableRule) []api.FilterableRule {
	own := api.PlainRule(topology.ShardField)
	for _, r := range rules {
		if slices.ContainsFunc(r.Patterns, matchesShardField) {
			if r.Equality {
				return rules
			}
			return append([]api.FilterableRule{own}, rules...)
		}
	}
	return append(slices.Clone(rules), own)
}

// matchesShardField reports whether an attribute pattern covers the shard
// field.
func matchesShardField(pattern string) bool { return covers(pattern, topology.ShardField) }

// addedDisplayed lists the attributes that nodes must show beyond what the
// client displays: the insertion number, and what hits are ordered by, because
// nodes hide the values of hidden attributes in ranking details too, and what hits
// are made distinct by.
func addedDisplayed(s *api.Settings) []string {
	if slices.Contains(s.DisplayedAttributes, "*") {
		return nil
	}
	add := []string{topology.SeqField}
	needed := slices.Concat(s.SortableAttributes, ruleFields(s.RankingRules))
	if s.DistinctAttribute != nil {
		needed = append(needed, *s.DistinctAttribute)
	}
	for _, f := range needed {
		if !slices.Contains(s.DisplayedAttributes, f) && !slices.Contains(add, f) {
			add = append(add, f)
		}
	}
	return add
}

// ruleFields lists the attributes of custom ranking rules.
func ruleFields(rules []string) []string {
	var out []string
	for _, r := range rules {
		if f, ok := customRule(r); ok {
			out = append(out, f)
		}
	}
	return out
}

// customRule reads "field:asc" and "field:desc".
func customRule(rule string) (field string, ok bool) {
	if f, ok := strings.CutSuffix(rule, ":asc"); ok {
		return f, true
	}
	return strings.CutSuffix(rule, ":desc")
}

// defaultRankingRules are the rules that a node of the given minor version
// gives a new index: attributeRank and wordPosition took the place of attribute.
func defaultRankingRules(minor int) []string {
	if minor >= splitAttributeRule {
		return api.DefaultRankingRules()
	}
	return []string{"words", "typo", "proximity", "attribute", "sort", "exactness"}
}

// splitAttributeRule is the first 1.x with attributeRank and wordPosition by
// default.
const splitAttributeRule = 36
