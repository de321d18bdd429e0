package actors

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// indexView is an index as readers see it: immutable, computed once per change
// of its row or settings.
type indexView struct {
	row      store.Index
	settings *api.Settings
	table    *topology.Table
	public   *messages.Index

	hidden      []string // attributes that nodes show and the client must not see
	customRules bool     // ranking rules on attributes order even a search without words
}

func newIndexView(row store.Index, table *topology.Table) (*indexView, error) {
	s := api.DefaultSettings()
	if err := json.Unmarshal(row.Settings, s); err != nil {
		return nil, fmt.Errorf("read the settings of index %s: %w", row.UID, err)
	}
	v := &indexView{
		row: row, settings: s, table: table,
		public: &messages.Index{
			UID: row.UID, PrimaryKey: row.PrimaryKey, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, Settings: row.Settings,
		},
		hidden:      slices.DeleteFunc(addedDisplayed(s), func(f string) bool { return f == topology.SeqField }),
		customRules: len(ruleFields(s.RankingRules)) > 0,
	}
	return v, nil
}

// facetOrder says how the values of a facet are ordered.
func (v *indexView) facetOrder(facet string) merge.Order {
	by := v.settings.Faceting.SortFacetValuesBy
	order, ok := by[facet]
	if !ok {
		order = by["*"]
	}
	if order == "count" {
		return merge.Count
	}
	return merge.Alpha
}
