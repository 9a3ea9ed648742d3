package reference

// Guide is a page of the guide with what leads to the others.
type Guide struct {
	Title    string
	Chapters []Chapter
	Sections []Link // of this page
	Body     string // HTML that was made here, of text of ours
}

// Chapter is a group of pages.
type Chapter struct {
	Title string
	Pages []Link
}

// Link leads somewhere, or is where the reader is.
type Link struct {
	URL, Title string
	Here       bool
}
