// Package ndjson is a claims source made of a folder: Patient, Coverage and
// ExplanationOfBenefit resources in NDJSON files, one resource a line, plain
// (*.ndjson) or gzip (*.ndjson.gz), any number of files under any names and in
// any subfolders. What a line is tells its resourceType; lines of other types
// are passed over and counted. What "ab2d synth" writes is such a folder.
//
// # Versions of FHIR
//
// Each claim's version is found from the claim: R4 demands "use", which STU3
// does not know (a "supportingInfo", or "insurance" as a list, tells R4 as
// well). A folder may hold claims of one version, and then the other is refused,
// or of both, and then it holds every claim in both: a person with other claims
// in the one than in the other is an error. Patients and coverage may be of
// either version.
//
// # Enrollment
//
// Who is enrolled in what comes from Coverage resources as BFD serves them: the
// extensions ptdcntrct01 to ptdcntrct12 hold the contract of each month of the
// year in rfrnc_yr (or of the year in the extension's own address, as
// ptdcntrct01/2021-1). Several resources of one person add up. Codes that are
// not contract numbers mean that there was none. MBIs come from Patient
// resources. Where there is no Coverage, a file contracts.csv in the folder
// itself says it, with this first line; months may be left empty, for from
// January 2006 and for up to the month that the folder is complete through:
//
//	contract,patient,from,to
//	S0001,-10000001000017,2021-01,2023-06
//	S0001,-10000001000018,,
//
// # What a folder vouches for
//
// A folder has no clock. It is complete through the newest meta.lastUpdated of
// its claims: the times of files tell when somebody copied them, and a claim
// updated before a file was copied may still come with the next one. So claims
// that are added later reach exports with _since as long as they were updated
// after everything that was there, which is how loads come. A folder that
// changed without a newer claim, as when somebody was enrolled, is complete
// through a millisecond more than before, so that an export after the change
// differs in time from one before it, and who is new since then is known. A
// folder of claims without any time of update begins with the time of its
// newest file.
//
// An export with a _since beyond all this waits until the folder has newer
// claims: give the transactionTime of the export before, as always.
//
// # The index
//
// The folder is read through once, in one pass and flat memory, and an index
// is kept in a folder of its own: where each person's claims lie, when they were
// updated, and who is enrolled. It is used again as long as no file's name,
// size or time differs. Claims of plain files stay where they are. Gzip cannot
// be entered in the middle, so the index holds their plain bytes again, packed
// in blocks that can. A folder that changes while it is served is told as a
// passing error for the people concerned; start again to load it anew.
package ndjson
