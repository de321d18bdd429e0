package embedded

import "github.com/miroir-search/miroir/api"

// ruleRoutes are those of dynamic search rules. There are none on an embedded node: lists are empty, and to make one is
// refused, because searches would not obey it.
func ruleRoutes() []route {
	const base, action = "/dynamic-search-rules", "Using the `/dynamic-search-rules` routes"
	refuse := func(r *request) (*reply, *api.Error) {
		if err := r.core.require("dynamicSearchRules", action); err != nil {
			return nil, err
		}
		return nil, api.NewError(api.CodeNotSupported, "an embedded node does not have dynamic search rules")
	}
	return []route{
		{method: "POST", path: base, action: "dynamicSearchRules.get", handle: listRules},
		{method: "DELETE", path: base, action: "dynamicSearchRules.delete", handle: refuse},
		{method: "GET", path: base + "/:uid", action: "dynamicSearchRules.get", handle: func(r *request) (*reply, *api.Error) {
			if err := r.core.require("dynamicSearchRules", "Calling the `GET /dynamic-search-rules/{:ruleUid}` route"); err != nil {
				return nil, err
			}
			return nil, api.NewError("dynamic_search_rule_not_found", "Dynamic search rule `"+r.params["uid"]+"` not found.")
		}},
		{method: "PATCH", path: base + "/:uid", action: "dynamicSearchRules.update", handle: refuse},
		{method: "DELETE", path: base + "/:uid", action: "dynamicSearchRules.delete", handle: refuse},
	}
}

func listRules(r *request) (*reply, *api.Error) {
	offset, limit := 0, api.DefaultSearchLimit
	var filter *api.Value
	err := r.object(
		api.Field{Name: "offset", Into: api.Count("invalid_dynamic_search_rule_offset", &offset)},
		api.Field{Name: "limit", Into: api.Count("invalid_dynamic_search_rule_limit", &limit)},
		api.Field{Name: "filter", Into: api.Maybe("invalid_dynamic_search_rule_filter", &filter, api.Raw)})
	if err != nil {
		return nil, err
	}
	if err := r.core.require("dynamicSearchRules", "Calling the `POST /dynamic-search-rules` route"); err != nil {
		return nil, err
	}
	return ok(cut([]struct{}{}, offset, limit))
}
