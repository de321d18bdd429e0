package api

// FieldsQuery is the body of POST /indexes/{uid}/fields.
type FieldsQuery struct {
	Offset, Limit int
	// Filter is nil for all fields.
	Filter *FieldsFilter
}

// FieldsFilter chooses fields; what is nil chooses all.
type FieldsFilter struct {
	Patterns                                                           []string
	Displayed, Searchable, Sortable, Distinct, RankingRule, Filterable *bool
}

// DecodeFields reads the body of POST /indexes/{uid}/fields.
func DecodeFields(v Value) (*FieldsQuery, *Error) {
	q := &FieldsQuery{Limit: DefaultSearchLimit}
	return q, DecodeObject(v, At{}, "bad_request", []Field{
		{Name: "offset", Into: Count("invalid_index_offset", &q.Offset)},
		{Name: "limit", Into: Count("invalid_index_limit", &q.Limit)},
		{Name: "filter", Into: Maybe("invalid_index_fields_filter", &q.Filter, readFieldsFilter)},
	})
}

func readFieldsFilter(code string, f *FieldsFilter) Into {
	return ObjectInto(code, func() []Field {
		const prefix = "invalid_index_fields_filter_"
		return []Field{
			{Name: "attributePatterns", Into: MaybeList(prefix+"attribute_patterns", &f.Patterns, Text)},
			{Name: "displayed", Into: Maybe(prefix+"displayed", &f.Displayed, Bool)},
			{Name: "searchable", Into: Maybe(prefix+"searchable", &f.Searchable, Bool)},
			{Name: "sortable", Into: Maybe(prefix+"sortable", &f.Sortable, Bool)},
			{Name: "distinct", Into: Maybe(prefix+"distinct", &f.Distinct, Bool)},
			{Name: "rankingRule", Into: Maybe(prefix+"ranking_rule", &f.RankingRule, Bool)},
			{Name: "filterable", Into: Maybe(prefix+"filterable", &f.Filterable, Bool)},
		}
	})
}
