package api

import (
	"slices"
	"strings"
)

// Swap is one pair of a swap call.
type Swap struct {
	Indexes []string `json:"indexes"`
	Rename  bool     `json:"rename"`
}

// DecodeSwaps reads the body of POST /swap-indexes: a list of pairs in which no index is named twice. allowed tells
// which indexes the caller may name; nil is all.
func DecodeSwaps(v Value, allowed func(uid string) bool) ([]Swap, *Error) {
	swaps := []Swap{}
	if err := List(readSwap)("bad_request", &swaps)(v, At{}); err != nil {
		return nil, err
	}
	seen := make(map[string]int)
	var twice []string
	for _, s := range swaps {
		if len(s.Indexes) != 2 {
			return nil, SwapWrongLength(s.Indexes)
		}
		for _, uid := range s.Indexes {
			if allowed != nil && !allowed(uid) {
				return nil, InvalidAPIKey()
			}
			if seen[uid]++; seen[uid] == 2 {
				twice = append(twice, uid)
			}
		}
	}
	if len(twice) > 0 {
		slices.Sort(twice)
		return nil, SwapDuplicates(twice)
	}
	if swaps == nil {
		swaps = []Swap{}
	}
	return swaps, nil
}

func readSwap(code string, s *Swap) Into {
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "indexes", Into: List(UID)("invalid_swap_indexes", &s.Indexes), Required: true, MissingCode: "missing_swap_indexes"},
			{Name: "rename", Into: Bool("invalid_swap_rename", &s.Rename)},
		}
	})
}

// SwapWrongLength is the 400 of a swap that does not name exactly two indexes.
func SwapWrongLength(uids []string) *Error {
	quoted := make([]string, len(uids))
	for i, u := range uids {
		quoted[i] = `"` + u + `"`
	}
	return Errorf("invalid_swap_indexes", "Two indexes must be given for each swap. The list `[%s]` contains %d indexes.",
		strings.Join(quoted, ", "), len(uids))
}

// SwapDuplicates is the 400 of indexes named more than once in one swap call.
func SwapDuplicates(uids []string) *Error {
	verb := "were"
	if len(uids) == 1 {
		verb = "was"
	}
	return Errorf("invalid_swap_duplicate_index_found",
		"Indexes must be declared only once during a swap. %s %s specified several times.", quoteList(uids), verb)
}

// CheckSwaps gives the task error of swaps that name indexes which do not exist, or new names that are taken; nil when
// they can be carried out.
func CheckSwaps(swaps []Swap, exists func(uid string) bool) *Error {
	var missing []string
	var taken []Swap
	for _, s := range swaps {
		if !exists(s.Indexes[0]) {
			missing = append(missing, s.Indexes[0])
		}
		switch there := exists(s.Indexes[1]); {
		case s.Rename && there:
			taken = append(taken, s)
		case !s.Rename && !there:
			missing = append(missing, s.Indexes[1])
		}
	}
	switch {
	case len(missing) == 1:
		return IndexNotFound(missing[0])
	case len(missing) > 1:
		slices.Sort(missing)
		return NewError("index_not_found", "Indexes "+quoteList(missing)+" not found.")
	case len(taken) == 1:
		from, to := taken[0].Indexes[0], taken[0].Indexes[1]
		return Errorf("index_already_exists", "Cannot rename `%s` to `%s` as the index already exists. Hint: You can "+
			"remove `%s` first and then do your remove.", from, to, to)
	case len(taken) > 1:
		slices.SortFunc(taken, func(a, b Swap) int { return slices.Compare(a.Indexes, b.Indexes) })
		names := make([]string, len(taken))
		for i, s := range taken {
			names[i] = s.Indexes[1]
		}
		return NewError("index_already_exists", "The following indexes are being renamed but cannot because their new name "+
			"conflicts with an already existing index: "+quoteList(names)+". Renaming doesn't overwrite the other index name.")
	}
	return nil
}
