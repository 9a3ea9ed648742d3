// Package bfdmock is a stand-in for CMS's Beneficiary FHIR Data server (BFD):
// for tests, demonstrations and benchmarks of whoever asks that server for
// claims and enrollment. It answers over HTTP as BFD does, from people that it is
// given, and can be told to be slow, to be overloaded, to fail and to lie.
//
// It speaks BFD's v1 (STU3) and v2 (R4):
//
//	GET /v{1,2}/fhir/ExplanationOfBenefit?patient=ID   claims of one person, paged by offset
//	GET /v{1,2}/fhir/Patient?_has:Coverage.extension=  who is enrolled in a contract in a month, paged by key
//	GET /v{1,2}/fhir/Patient?_id=ID                    one person, with MBIs
//	GET /v{1,2}/fhir/Coverage?beneficiary=ID           what covers one person
//	GET /v{1,2}/fhir/metadata                          the CapabilityStatement
//	GET /mock/stats                                    what was asked and what it answered, as JSON
//
// Whatever goes wrong is drawn from a seed: of each question, which is a path, a person or
// contract and a page, the first, second, third ... time fares the same in every run.
package bfdmock
