package actors

import (
	"slices"
	"strings"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/rawjson"
)

// refusedJob is a search that nodes carry out only because of what Miroir has
// made filterable there. They are asked all the same: they may find something
// that is said before.
type refusedJob struct {
	*searchJob
	err *api.Error
}

func (j *refusedJob) scatters() []scatter { return []scatter{j} }

func (j *refusedJob) join([]gathered) (outcome, error) { return outcome{refused: j.err}, nil }

// facetsRefused is the refusal of a list of facets of which one matches the
// shard field and nothing that the client made filterable; nil when nodes judge
// the list rightly.
func facetsRefused(s *api.Settings, facets []byte) *api.Error {
	ours := false
	var refused *api.Error
	_ = rawjson.EachElement(facets, func(v []byte) bool {
		text, err := rawjson.AppendUnquoted(nil, v)
		if err != nil {
			return false // a node will say so
		}
		pattern := string(text)
		ours = ours || matchesShardField(pattern)
		refused = facetRefused(s.FilterableAttributes, pattern)
		return refused == nil
	})
	if !ours {
		return nil
	}
	return refused
}

// facetRefused judges one pattern as a node does that knows only the client's
// rules.
func facetRefused(rules []api.FilterableRule, pattern string) *api.Error {
	const code = "invalid_search_facets"
	var names []string
	for i, rule := range rules {
		patterns := rule.Patterns
		if rule.Plain() {
			patterns = []string{rule.Field}
		}
		filterable := rule.Equality || rule.Comparison
		meets := func(p string) bool {
			return covers(pattern, p) || !rule.Plain() && covers(p, pattern)
		}
		switch {
		case filterable && slices.ContainsFunc(patterns, meets):
			return nil
		case filterable:
			names = append(names, patterns...)
		case slices.ContainsFunc(patterns, func(p string) bool { return covers(p, pattern) }):
			return api.Errorf(code, "Invalid facet distribution: Attribute `%s` matched rule #%d in filterableAttributes, but this rule does not enable filtering.\n"+
				"Hint: enable filtering in rule #%d by modifying the features.filter object\n"+
				"Hint: prepend another rule matching `%s` with appropriate filter features before rule #%d", pattern, i, i, pattern, i)
		}
	}
	if len(names) == 0 {
		return api.Errorf(code, "Invalid facet distribution: Pattern `%s` is not filterable. This index does not have configured filterable attributes.", pattern)
	}
	slices.Sort(names)
	return api.Errorf(code, "Invalid facet distribution: Pattern `%s` is not filterable. Available filterable attributes patterns are: `%s`.",
		pattern, strings.Join(slices.Compact(names), ", "))
}

// covers reports whether an attribute pattern matches a name, or a field that
// the name is nested in.
func covers(pattern, name string) bool {
	if strings.HasPrefix(name, pattern+".") || strings.HasPrefix(pattern, name+".") {
		return true
	}
	prefix, suffix := strings.HasPrefix(pattern, "*"), strings.HasSuffix(pattern, "*")
	core := strings.TrimSuffix(strings.TrimPrefix(pattern, "*"), "*")
	switch {
	case prefix && suffix:
		return strings.Contains(name, core)
	case prefix:
		return strings.HasSuffix(name, core)
	case suffix:
		return strings.HasPrefix(name, core)
	}
	return pattern == name
}
