package auth

import (
	"slices"
	"strings"
	"time"

	"github.com/miroir-search/miroir/api"
)

// Access is what a token allows. It is not changed after it was made.
type Access struct {
	key     *Key
	actions map[string]bool
	// rules are the search rules of a tenant token; nil without one.
	rules []Rule
}

// Rule is one entry of a tenant token's searchRules.
type Rule struct {
	Pattern string
	Filter  *api.Value // nil: no filter
}

func newAccess(k *Key) *Access { return &Access{key: k, actions: expand(k.Actions)} }

// KeyUID names the key behind the token.
func (a *Access) KeyUID() string { return a.key.UID }

// Tenant tells whether the token is a tenant's.
func (a *Access) Tenant() bool { return a.rules != nil }

// Allows tells whether the token may touch an index.
func (a *Access) Allows(index string) bool {
	if !matchesAny(a.key.Indexes, index) {
		return false
	}
	_, ok := a.rule(index)
	return ok
}

// Restricted tells whether some indexes are out of reach.
func (a *Access) Restricted() bool {
	return !slices.Contains(a.key.Indexes, "*") || a.rules != nil && !slices.ContainsFunc(a.rules, func(r Rule) bool { return r.Pattern == "*" })
}

// Patterns are those of the indexes in reach of the key; a tenant token reaches fewer.
func (a *Access) Patterns() []string { return a.key.Indexes }

// MayCreate tells whether a write may make a missing index.
func (a *Access) MayCreate() bool { return a.actions["indexes.create"] }

// rule finds the search rule for an index: the exact name, else the longest pattern.
func (a *Access) rule(index string) (best Rule, found bool) {
	if a.rules == nil {
		return Rule{}, true
	}
	for _, r := range a.rules {
		if r.Pattern == index {
			return r, true
		}
		if Matches(r.Pattern, index) && (!found || len(r.Pattern) > len(best.Pattern)) {
			best, found = r, true
		}
	}
	return best, found
}

// Filter is what the tenant token lets be seen of an index; nil is everything that
// the key allows.
func (a *Access) Filter(index string) *api.Value {
	r, _ := a.rule(index)
	return r.Filter
}

// JoinFilters makes one filter of which both parts must hold; nil is none. The parts
// of a list are joined at the outer level, as they are in Meilisearch.
func JoinFilters(a, b *api.Value) *api.Value {
	switch {
	case a == nil || a.Kind == api.Null:
		return b
	case b == nil:
		return a
	}
	joined := api.Value{Kind: api.Array}
	for _, part := range []*api.Value{a, b} {
		if part.Kind == api.Array {
			joined.Arr = append(joined.Arr, part.Arr...)
		} else {
			joined.Arr = append(joined.Arr, *part)
		}
	}
	return &joined
}

// check decides whether the token may do an action, on an index unless that is "".
func (a *Access) check(action, index string, now time.Time) *api.Error {
	if index != "" {
		if bad := a.checkIndex(index); bad != nil {
			return bad
		}
	}
	if !a.actions[action] || a.key.Expired(now) {
		return api.InvalidAPIKey()
	}
	if index == "" && !slices.Contains(a.key.Indexes, "*") && (!listing(action) || len(a.key.Indexes) == 0) {
		return api.InvalidAPIKey()
	}
	return nil
}

// checkIndex says what a token lacks. A tenant learns nothing of the key behind it.
func (a *Access) checkIndex(index string) *api.Error {
	if _, ok := a.rule(index); !ok {
		names := make([]string, len(a.rules))
		for i, r := range a.rules {
			names[i] = r.Pattern
		}
		return api.Errorf("invalid_api_key", "The provided tenant token cannot acces the index `%s`, allowed indexes are %s.", index, sorted(names))
	}
	switch {
	case matchesAny(a.key.Indexes, index):
		return nil
	case a.rules != nil:
		return api.Errorf("invalid_api_key", "The API key used to generate this tenant token cannot acces the index `%s`.", index)
	default:
		return api.Errorf("invalid_api_key", "The API key cannot acces the index `%s`, authorized indexes are %s.", index, sorted(a.key.Indexes))
	}
}

// sorted writes a list of names, each once.
func sorted(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	for i, s := range names {
		names[i] = api.QuoteJSON(s)
	}
	return "[" + strings.Join(names, ", ") + "]"
}
