package api

import (
	"strconv"
	"strings"
)

// Document payload types, in the order error texts list them.
const (
	ContentTypeJSON   = "application/json"
	ContentTypeNDJSON = "application/x-ndjson"
	ContentTypeCSV    = "text/csv"
)

// DocumentContentTypes are the types a document route accepts, in the order error texts list them.
func DocumentContentTypes() []string {
	return []string{ContentTypeJSON, ContentTypeNDJSON, ContentTypeCSV}
}

// IndexNotFound is the error for an index that does not exist.
func IndexNotFound(uid string) *Error {
	return NewError("index_not_found", "Index `"+uid+"` not found.")
}

// IndexAlreadyExists is the task error of creating an index twice.
func IndexAlreadyExists(uid string) *Error {
	return NewError("index_already_exists", "Index `"+uid+"` already exists.")
}

// InvalidIndexUID is the error for a uid that breaks the rules of ValidIndexUID.
func InvalidIndexUID(uid string) *Error {
	return NewError("invalid_index_uid", invalidIndexUIDText(uid))
}

func invalidIndexUIDText(uid string) string {
	return "`" + uid + "` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric " +
		"characters, hyphens (-) and underscores (_), and can not be more than 512 bytes."
}

// ValidIndexUID tells whether uid can name an index: 1 to 400 bytes of letters, digits, hyphens and underscores. (The
// error text says 512; the check is 400.)
func ValidIndexUID(uid string) bool {
	if uid == "" || len(uid) > 400 {
		return false
	}
	for i := 0; i < len(uid); i++ {
		c := uid[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// CheckIndexUID returns InvalidIndexUID for a uid that cannot name an index.
func CheckIndexUID(uid string) *Error {
	if ValidIndexUID(uid) {
		return nil
	}
	return InvalidIndexUID(uid)
}

// DocumentNotFound is the error of reading one document that does not exist.
func DocumentNotFound(id string) *Error {
	return NewError("document_not_found", "Document `"+id+"` not found.")
}

// SimilarNotFound is the same for the target of a similar search; its status is 400.
func SimilarNotFound(id string) *Error {
	return NewError("not_found_similar_id", "Document `"+id+"` not found.")
}

// TaskNotFound is the error for a task uid that is not in the queue.
func TaskNotFound(uid uint64) *Error {
	return NewError("task_not_found", "Task `"+strconv.FormatUint(uid, 10)+"` not found.")
}

// BatchNotFound is the error for an unknown batch uid.
func BatchNotFound(uid uint64) *Error {
	return NewError("batch_not_found", "Batch `"+strconv.FormatUint(uid, 10)+"` not found.")
}

// InvalidTaskUID is the error for a task uid in a path that is no number.
func InvalidTaskUID(text string) *Error {
	return NewError("invalid_task_uids", "Task uid `"+text+"` is invalid. It should only contain numeric characters.")
}

// InvalidBatchUID is the error for a batch uid in a path that is no number.
func InvalidBatchUID(text string) *Error {
	return NewError("invalid_batch_uids", "Batch uid `"+text+"` is invalid. It should only contain numeric characters.")
}

// MissingTaskFilters is the error of cancelling ("cancel") or deleting ("delete") tasks without any filter.
func MissingTaskFilters(verb string) *Error {
	return NewError("missing_task_filters", "Query parameters to filter the tasks to "+verb+" are missing. Available query "+
		"parameters are: `uids`, `indexUids`, `statuses`, `types`, `canceledBy`, `beforeEnqueuedAt`, `afterEnqueuedAt`, "+
		"`beforeStartedAt`, `afterStartedAt`, `beforeFinishedAt`, `afterFinishedAt`.")
}

// APIKeyNotFound is the error for an unknown key or key uid.
func APIKeyNotFound(key string) *Error {
	return NewError("api_key_not_found", "API key `"+key+"` not found.")
}

// APIKeyAlreadyExists is the error of creating a key with a uid in use.
func APIKeyAlreadyExists(uid string) *Error {
	return NewError("api_key_already_exists", "`uid` field value `"+uid+"` is already an existing API key.")
}

// MissingAuthorizationHeader is the 401 of a request without a bearer token.
func MissingAuthorizationHeader() *Error {
	return NewError("missing_authorization_header",
		"The Authorization header is missing. It must use the bearer authorization method.")
}

// InvalidAPIKey is the 403 of a token that gives no access.
func InvalidAPIKey() *Error { return NewError("invalid_api_key", "The provided API key is invalid.") }

// MissingMasterKey is the 401 of the key routes on a server without a master key.
func MissingMasterKey() *Error {
	return NewError("missing_master_key", "Meilisearch is running without a master key. To access this API endpoint, you "+
		"must have set a master key at launch.")
}

// MissingContentType is the 415 of a body without Content-Type; accepted is listed in its order.
func MissingContentType(accepted ...string) *Error {
	return NewError("missing_content_type",
		"A Content-Type header is missing. Accepted values for the Content-Type header are: "+quoteList(accepted))
}

// InvalidContentType is the 415 of a body of another type.
func InvalidContentType(got string, accepted ...string) *Error {
	return NewError("invalid_content_type",
		"The Content-Type `"+got+"` is invalid. Accepted values for the Content-Type header are: "+quoteList(accepted))
}

// CSVDelimiterWithWrongContentType is the 415 of csvDelimiter beside a payload that is not CSV.
func CSVDelimiterWithWrongContentType(got string) *Error {
	return NewError("invalid_content_type", "The Content-Type `"+got+"` does not support the use of a csv delimiter. The "+
		"csv delimiter can only be used with the Content-Type `text/csv`.")
}

// MissingPayload is the 400 of an empty body; format is json, ndjson or csv.
func MissingPayload(format string) *Error {
	return NewError("missing_payload", "A "+format+" payload is missing.")
}

// MalformedJSON is the 400 of a JSON body that does not parse.
func MalformedJSON(reason string) *Error {
	return NewError("malformed_payload", "The json payload provided is malformed. `"+reason+"`.")
}

// PayloadTooLarge is the 413 of a body over limit bytes.
func PayloadTooLarge(limit int64) *Error {
	return NewError("payload_too_large", "The provided payload reached the size limit. The maximum accepted payload size is "+
		FormatSize(limit)+".")
}

// FormatSize prints a byte count the way Meilisearch does in texts: binary units when divisible by 1024, else decimal
// ones, without trailing zeros.
func FormatSize(n int64) string {
	step, units := int64(1000), []string{"B", "KB", "MB", "GB", "TB", "PB", "EB"}
	if n%1024 == 0 {
		step, units = 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	}
	f, u := float64(n), 0
	for f >= float64(step) && u < len(units)-1 {
		f /= float64(step)
		u++
	}
	return strconv.FormatFloat(f, 'f', -1, 64) + " " + units[u]
}

// FeatureNotEnabled is the 400 of something behind an experimental feature that is off; action begins with a capital.
func FeatureNotEnabled(action, feature, link string) *Error {
	return Errorf("feature_not_enabled", "%s requires enabling the `%s` experimental feature. See %s", action, feature, link)
}

// EmptyFilter is the 400 of deleting documents by an empty filter.
func EmptyFilter() *Error {
	return NewError("invalid_document_filter", "Sending an empty filter is forbidden.")
}

// Internal is the 500 for a fault of ours.
func Internal(message string) *Error { return NewError("internal", message) }

func quoteList(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
