#include "alerting/shell/service.hpp"
#include "alerting/shell/webhook.hpp"
#include "runtime/program.hpp"

int main(int argc, char** argv) {
  using namespace fieldwork;
  return runtime::service_main(
      argc, argv,
      {.name = "alerting",
       .description = "Says what someone should know: lost or unwell devices, failed jobs and transfers.",
       .migrations = "alerting",
       .make = [](runtime::Config& config, const std::string& root,
                  runtime::Post post) -> Result<std::unique_ptr<runtime::Service>> {
         alerting::Limits limits;
         limits.health_below = config.number("alerting.health_below", 0.7, 0, 0.95);
         limits.alerts_max = static_cast<std::size_t>(config.integer("alerting.alerts_max", 10'000, 1, 1'000'000));
         limits.resolved_keep = seconds{config.integer("alerting.resolved_keep_s", 3600, 0, 31'536'000)};
         alerting::WebhookConfig webhook;
         webhook.url = config.text("alerting.webhook", "");
         webhook.timeout_s = static_cast<int>(config.integer("alerting.webhook_timeout_s", 5, 1, 300));
         if (auto good = alerting::check_webhook(webhook.url); !webhook.url.empty() && !good) {
           return Error{Code::invalid, good.error().reason, config.origin("alerting.webhook")};
         }
         alerting::AlertingService::MakeTarget target;
         if (!webhook.url.empty()) {
           target = [webhook](alerting::Target::Done done) {
             return std::make_unique<alerting::Webhook>(webhook, std::move(done));
           };
         }
         return std::unique_ptr<runtime::Service>(new alerting::AlertingService(root, limits, target, post.task));
       }});
}
