/* Tables and views of a campaign file, format 1; told in docs/formats.md. */
#ifndef STOIC_CAMPAIGN_SCHEMA_H
#define STOIC_CAMPAIGN_SCHEMA_H

extern const char stoic_campaign_schema[];

#endif
