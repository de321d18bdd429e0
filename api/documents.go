package api

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// BrowseQuery asks for documents: GET /documents and POST /documents/fetch.
type BrowseQuery struct {
	Offset, Limit int
	// Fields is nil for all.
	Fields          []string
	RetrieveVectors bool
	// IDs is nil for all documents. They are checked by CheckIDs.
	IDs        []string
	Filter     *Value
	Sort       []string
	UseNetwork *bool
}

const codeDocumentIDs = "invalid_document_ids"

// DecodeBrowse reads the body of POST /documents/fetch.
func DecodeBrowse(v Value) (*BrowseQuery, *Error) {
	q := &BrowseQuery{Limit: DefaultSearchLimit}
	var ids []Value
	err := DecodeObject(v, At{}, "bad_request", []Field{
		{Name: "offset", Into: Count("invalid_document_offset", &q.Offset)},
		{Name: "limit", Into: Count("invalid_document_limit", &q.Limit)},
		{Name: "fields", Into: MaybeList("invalid_document_fields", &q.Fields, Text)},
		{Name: "retrieveVectors", Into: Bool("invalid_document_retrieve_vectors", &q.RetrieveVectors)},
		{Name: "ids", Into: MaybeList(codeDocumentIDs, &ids, Raw)},
		{Name: "filter", Into: Maybe("invalid_document_filter", &q.Filter, Raw)},
		{Name: "sort", Into: MaybeList("invalid_document_sort", &q.Sort, Text)},
		{Name: "useNetwork", Into: Maybe("invalid_document_use_network", &q.UseNetwork, Bool)},
	})
	if err != nil {
		return nil, err
	}
	return q, q.checkIDs(ids)
}

// ParseBrowse reads the parameters of GET /documents.
func ParseBrowse(raw string) (*BrowseQuery, *Error) {
	q := &BrowseQuery{Limit: DefaultSearchLimit}
	var ids []string
	var filter, sort *string
	err := DecodeQuery(raw, []Field{
		{Name: "offset", Into: ParamCount("invalid_document_offset", &q.Offset)},
		{Name: "limit", Into: ParamCount("invalid_document_limit", &q.Limit)},
		{Name: "fields", Into: ParamStarList("invalid_document_fields", &q.Fields, anyText)},
		{Name: "retrieveVectors", Into: ParamBool("invalid_document_retrieve_vectors", &q.RetrieveVectors)},
		{Name: "ids", Into: ParamList(codeDocumentIDs, &ids)},
		{Name: "filter", Into: Maybe("invalid_document_filter", &filter, Text)},
		{Name: "sort", Into: Maybe("invalid_document_sort", &sort, Text)},
		{Name: "useNetwork", Into: Maybe("invalid_document_use_network", &q.UseNetwork, ParamBool)},
	})
	if err != nil {
		return nil, err
	}
	q.Filter = ParamFilter(filter)
	if sort != nil {
		q.Sort = SplitSort(*sort)
	}
	if ids == nil {
		return q, nil
	}
	values := make([]Value, len(ids))
	for i, id := range ids {
		values[i] = Value{Kind: String, Str: id}
	}
	return q, q.checkIDs(values)
}

func (q *BrowseQuery) checkIDs(ids []Value) *Error {
	if ids == nil {
		return nil
	}
	q.IDs = make([]string, len(ids))
	for i := range ids {
		id, ok := ids[i].DocumentID()
		if !ok {
			return Errorf(codeDocumentIDs, "In `.ids[%d]`: %s", i, InvalidDocumentIDText(&ids[i]))
		}
		q.IDs[i] = id
	}
	return nil
}

// DocumentID is the text of a value that can identify a document: an integer, or 1 to 511 bytes of letters, digits,
// hyphens and underscores.
func (v *Value) DocumentID() (string, bool) {
	switch v.Kind {
	case Integer, NegativeInteger:
		return v.String(), true
	case String:
		id := strings.TrimSpace(v.Str)
		return id, ValidDocumentID(id)
	default:
		return "", false
	}
}

// ValidDocumentID tells whether a string can identify a document.
func ValidDocumentID(id string) bool {
	if id == "" || len(id) > 511 {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// InvalidDocumentIDText is the message about a value that cannot identify a document.
func InvalidDocumentIDText(v *Value) string {
	return "Document identifier `" + v.String() + "` is invalid. A document identifier can be of type integer or string, " +
		"only composed of alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more than " +
		"511 bytes."
}

// DocumentView asks how to show one document: the parameters of GET /documents/{id}.
type DocumentView struct {
	// Fields is nil for all.
	Fields          []string
	RetrieveVectors bool
	UseNetwork      *bool
}

// ParseDocumentView reads the parameters of GET /documents/{id}.
func ParseDocumentView(raw string) (*DocumentView, *Error) {
	q := &DocumentView{}
	return q, DecodeQuery(raw, []Field{
		{Name: "fields", Into: ParamStarList("invalid_document_fields", &q.Fields, anyText)},
		{Name: "retrieveVectors", Into: ParamBool("invalid_document_retrieve_vectors", &q.RetrieveVectors)},
		{Name: "useNetwork", Into: Maybe("invalid_document_use_network", &q.UseNetwork, ParamBool)},
	})
}

func anyText(s string) (string, string) { return s, "" }

// WriteParams are the parameters of POST and PUT /documents.
type WriteParams struct {
	PrimaryKey   *string
	CSVDelimiter *byte // nil when it was not sent
	Metadata     *string
	SkipCreation bool
}

// Delimiter is what separates the values of CSV, 0 for the usual one.
func (p *WriteParams) Delimiter() byte {
	if p.CSVDelimiter == nil {
		return 0
	}
	return *p.CSVDelimiter
}

// ParseWriteParams reads the parameters of POST and PUT /documents.
func ParseWriteParams(raw string) (*WriteParams, *Error) {
	p := &WriteParams{}
	return p, DecodeQuery(raw, []Field{
		{Name: "primaryKey", Into: Maybe("invalid_index_primary_key", &p.PrimaryKey, Text)},
		{Name: "csvDelimiter", Into: csvDelimiter(&p.CSVDelimiter)},
		{Name: "customMetadata", Into: Maybe("invalid_index_custom_metadata", &p.Metadata, Text)},
		{Name: "skipCreation", Into: skipCreation(&p.SkipCreation)},
	})
}

func csvDelimiter(dst **byte) Into {
	return func(v Value, at At) *Error {
		const code = "invalid_document_csv_delimiter"
		switch n := utf8.RuneCountInString(v.Str); {
		case n == 0:
			return Invalid(code, at, "expected a string of one character, but found an empty string")
		case n > 1:
			return Invalid(code, at, "expected a string of one character, but found the following string of "+strconv.Itoa(n)+
				" characters: `"+v.Str+"`")
		case v.Str[0] >= utf8.RuneSelf:
			return NewError(code, "csv delimiter must be an ascii character. Found: `"+v.Str+"`")
		}
		b := v.Str[0]
		*dst = &b
		return nil
	}
}

func skipCreation(dst *bool) Into {
	return func(v Value, _ At) *Error {
		*dst = strings.EqualFold(v.Str, "true")
		if !*dst && !strings.EqualFold(v.Str, "false") {
			return NewError("invalid_skip_creation", "skipCreation must be either `true` or `false`. Found: `"+v.Str+"`")
		}
		return nil
	}
}

// ParseMetadata reads the one parameter that deletions take, customMetadata.
func ParseMetadata(raw string) (*string, *Error) {
	var m *string
	return m, DecodeQuery(raw, []Field{{Name: "customMetadata", Into: Maybe("invalid_index_custom_metadata", &m, Text)}})
}

// ParsePage reads offset and limit (default 20) of a listing; the codes are those of the two parameters.
func ParsePage(raw, offsetCode, limitCode string) (offset, limit int, err *Error) {
	limit = DefaultSearchLimit
	err = DecodeQuery(raw, []Field{
		{Name: "offset", Into: ParamCount(offsetCode, &offset)},
		{Name: "limit", Into: ParamCount(limitCode, &limit)},
	})
	return offset, limit, err
}
