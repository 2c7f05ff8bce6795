#include "credential_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wiretally::identity {
namespace {

std::string base64url(std::string_view bytes) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) text += kAlphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kAlphabet[bits << (6 - count) & 63];
  return text;
}

std::string jwt(std::string_view payload, std::string_view header = R"({"alg":"RS256"})",
                std::string_view signature = "c2lnbmF0dXJl") {
  return base64url(header) + "." + base64url(payload) + "." + std::string(signature);
}

KeySecret secret(uint8_t fill = 7) {
  std::array<uint8_t, KeySecret::kBytes> bytes{};
  bytes.fill(fill);
  return KeySecret(bytes);
}

Caller read(std::vector<HeaderField> fields, std::string_view target = "/v1/chat/completions",
            SubjectPrivacy privacy = SubjectPrivacy::kPlain) {
  const HeaderCredentialReader reader(secret(), privacy);
  return reader.read({.fields = fields}, target);
}

Caller bearer(const std::string& token, SubjectPrivacy privacy = SubjectPrivacy::kPlain) {
  const std::string value = "Bearer " + token;
  return read({{"Authorization", value}}, "/v1/chat/completions", privacy);
}

std::string key_id_of(std::string_view name, std::string_view value) {
  return std::string(read({{name, value}}).key_id.view());
}

TEST(CredentialReader, MarksAreWhatConfiguredHeadersSay) {
  const std::vector<HeaderField> fields = {{"X-Team", "search"},
                                           {"x-user", "ann@example.org"},
                                           {"x-session", "s-17"},
                                           {"x-other-user", "bob"}};
  const MarkHeaders headers{.end_user = {"x-missing", "x-user", "x-other-user"},
                            .session = {"x-session"},
                            .marks = {"x-region", "x-team"}};
  const HeaderCredentialReader plain(secret(), SubjectPrivacy::kPlain, headers);
  const RequestMarks marks = plain.marks({.fields = fields});
  EXPECT_EQ(marks.end_user.view(), "ann@example.org");
  EXPECT_EQ(marks.session.view(), "s-17");
  EXPECT_EQ(marks.marks[0].view(), "");
  EXPECT_EQ(marks.marks[1].view(), "search");
  EXPECT_EQ(marks.marks[2].view(), "");

  // A person's address is no more shown here than as a subject, wherever it stands.
  const HeaderCredentialReader guarded(secret(), SubjectPrivacy::kAuto, headers);
  EXPECT_TRUE(guarded.marks({.fields = fields}).end_user.view().starts_with("h:"));
  EXPECT_EQ(guarded.shown_end_user(Text<256>("ann@example.org")).view(),
            guarded.marks({.fields = fields}).end_user.view());
  EXPECT_EQ(guarded.shown_end_user(Text<256>("u-9f2")).view(), "u-9f2");
  EXPECT_EQ(guarded.shown_end_user({}).view(), "");

  const HeaderCredentialReader none(secret(), SubjectPrivacy::kPlain);
  EXPECT_TRUE(none.marks({.fields = fields}).end_user.empty());
}

TEST(CredentialReader, NothingThereIsNone) {
  for (const Caller& caller :
       {read({}), read({{"Authorization", ""}}), read({{"Authorization", "Bearer"}}),
        read({{"Authorization", "Bearer "}}), read({{"x-api-key", ""}}),
        read({{"Authorization", "Negotiate YII"}}), read({{"Authorization", "AWS4-HMAC-SHA256"}}),
        read({}, "/v1?key="), read({}, "/v1?keys=a&monkey=b")}) {
    EXPECT_EQ(caller.kind, CredentialKind::kNone);
    EXPECT_TRUE(caller.key_id.empty());
  }
}

TEST(CredentialReader, OneKeyIsOneKeyWhateverItsCarrier) {
  const std::string key_id = key_id_of("Authorization", "Bearer sk-proj-abc");
  EXPECT_EQ(key_id.size(), 32u);
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"authorization", "bearer sk-proj-abc"},
           {"AUTHORIZATION", "BEARER   sk-proj-abc"},
           {"Authorization", "sk-proj-abc"},
           {"Authorization", "Token sk-proj-abc"},
           {"X-Api-Key", "sk-proj-abc"},
           {"api-key", "sk-proj-abc"},
           {"x-goog-api-key", "sk-proj-abc"},
           {"Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.sk-proj-abc"},
           {"Ocp-Apim-Subscription-Key", "sk-proj-abc"},
           {"Helicone-Auth", "Bearer sk-proj-abc"},
           {"x-litellm-api-key", "Bearer sk-proj-abc"},
           {"cf-aig-authorization", "Bearer sk-proj-abc"},
           {"x-portkey-api-key", "sk-proj-abc"}}) {
    const Caller caller = read({{name, value}});
    EXPECT_EQ(caller.kind, CredentialKind::kApiKey) << name;
    EXPECT_EQ(caller.key_id.view(), key_id) << name << ": " << value;
  }
  for (const std::string_view target :
       {"/v1beta/models/m:generateContent?key=sk-proj-abc", "/x?alt=sse&key=sk-proj-abc#top",
        "/x?api-key=sk-proj-abc", "/x?key=%73k-proj-ab%63", "https://host/x?key=sk-proj-abc&a=b"}) {
    EXPECT_EQ(read({}, target).key_id.view(), key_id) << target;
  }
}

TEST(CredentialReader, OtherKeysAndOtherSecretsHashOtherwise) {
  const std::string key_id = key_id_of("x-api-key", "sk-a");
  EXPECT_NE(key_id, key_id_of("x-api-key", "sk-b"));
  const std::vector<HeaderField> fields = {{"x-api-key", "sk-a"}};
  const HeaderCredentialReader other(secret(8), SubjectPrivacy::kPlain);
  EXPECT_NE(key_id, other.read({.fields = fields}, "/").key_id.view());
}

TEST(CredentialReader, TellsTheKindsApart) {
  EXPECT_EQ(bearer("ya29.a0AfH6").kind, CredentialKind::kOauth);
  EXPECT_EQ(bearer("sk-ant-oat01-x").kind, CredentialKind::kOauth);
  EXPECT_EQ(bearer("sk-ant-api03-x").kind, CredentialKind::kApiKey);
  EXPECT_EQ(bearer("bedrock-api-key-x").kind, CredentialKind::kApiKey);
  EXPECT_EQ(read({{"Authorization", "Basic dXNlcjpwYXNz"}}).kind, CredentialKind::kApiKey);
}

TEST(CredentialReader, AwsSignaturesAreKnownByTheirAccessKeyId) {
  const Caller day_1 = read({{"Authorization",
                              "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/"
                              "aws4_request, SignedHeaders=host;x-amz-date, Signature=aaaa"}});
  const Caller day_2 = read({{"Authorization",
                              "AWS4-HMAC-SHA256 SignedHeaders=host,Credential=AKIDEXAMPLE/20260102/"
                              "eu-west-1/bedrock/aws4_request,Signature=bbbb"}});
  const Caller v4a = read({{"Authorization",
                            "AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/20260102/bedrock/"
                            "aws4_request, Signature=cc"}});
  EXPECT_EQ(day_1.kind, CredentialKind::kAwsSigv4);
  EXPECT_EQ(day_1.key_id.view(), day_2.key_id.view());
  EXPECT_EQ(day_1.key_id.view(), v4a.key_id.view());
  EXPECT_EQ(day_1.key_id.view(), key_id_of("x-api-key", "AKIDEXAMPLE"));
}

TEST(CredentialReader, TheProvidersKeyComesBeforeTheGateways) {
  EXPECT_EQ(read({{"Helicone-Auth", "Bearer sk-helicone"}, {"Authorization", "Bearer sk-a"}})
                .key_id.view(),
            key_id_of("x-api-key", "sk-a"));
  EXPECT_EQ(read({{"x-portkey-api-key", "pk"}, {"x-api-key", "sk-a"}}).key_id.view(),
            key_id_of("x-api-key", "sk-a"));
  EXPECT_EQ(read({{"Authorization", "Bearer "}, {"x-api-key", "sk-a"}}).key_id.view(),
            key_id_of("x-api-key", "sk-a"));
}

TEST(CredentialReader, ReadsEntraVersion1) {
  const Caller caller = bearer(jwt(
      R"({"aud":"https://cognitiveservices.azure.com","iss":"https://sts.windows.net/t1/",)"
      R"("iat":1,"appid":"app-1","appidacr":"1","idtyp":"app","oid":"o","sub":"o-1","tid":"t1",)"
      R"("ver":"1.0","xms_mirid":"/subscriptions/s"})"));
  EXPECT_EQ(caller.kind, CredentialKind::kJwt);
  EXPECT_EQ(caller.subject.view(), "o-1");
  EXPECT_EQ(caller.issuer.view(), "https://sts.windows.net/t1/");
  EXPECT_EQ(caller.application.view(), "app-1");
  EXPECT_EQ(caller.tenant.view(), "t1");
  EXPECT_EQ(caller.audience.view(), "https://cognitiveservices.azure.com");
  EXPECT_EQ(caller.verified, std::nullopt);
  EXPECT_TRUE(caller.key_id.empty());
}

TEST(CredentialReader, ReadsEntraVersion2) {
  const Caller caller = bearer(jwt(
      R"({"aud":"api-1","iss":"https://login.microsoftonline.com/t1/v2.0","azp":"app-2","sub":"pairwise",)"
      R"("scp":"user","tid":"t1","name":"A Person","preferred_username":"a@b.c","ver":"2.0"})"));
  EXPECT_EQ(caller.subject.view(), "pairwise");
  EXPECT_EQ(caller.application.view(), "app-2");
  EXPECT_EQ(caller.tenant.view(), "t1");
}

TEST(CredentialReader, ReadsKubernetesTokens) {
  const Caller caller = bearer(
      jwt(R"({"aud":["https://kubernetes.default.svc","other"],"exp":2,"iss":"https://k8s",)"
          R"("kubernetes.io":{"namespace":"shop","pod":{"name":"p","uid":"u"},)"
          R"("serviceaccount":{"name":"bot","uid":"v"}},"sub":"system:serviceaccount:shop:bot"})"));
  EXPECT_EQ(caller.subject.view(), "system:serviceaccount:shop:bot");
  EXPECT_EQ(caller.audience.view(), "https://kubernetes.default.svc");
}

TEST(CredentialReader, ReadsUnsignedTokensAlike) {
  const Caller caller = bearer(jwt(R"({"sub":"me"})", R"({"alg":"none"})", ""));
  EXPECT_EQ(caller.kind, CredentialKind::kJwt);
  EXPECT_EQ(caller.subject.view(), "me");
}

TEST(CredentialReader, ReadsTokensInKeyHeadersToo) {
  const std::string token = jwt(R"({"sub":"me"})");
  EXPECT_EQ(read({{"x-api-key", token}}).subject.view(), "me");
}

TEST(CredentialReader, ReadsATokenOf20Kilobytes) {
  std::string groups = "[";
  for (int i = 0; i < 600; ++i) groups += "\"group-" + std::string(20, 'g') + "\",";
  groups += "\"last\"]";
  const std::string token = jwt("{\"groups\":" + groups + ",\"sub\":\"me\"}");
  ASSERT_GT(token.size(), 20'000u);
  EXPECT_EQ(bearer(token).subject.view(), "me");
}

TEST(CredentialReader, ATokenPastTheLimitIsAKey) {
  const std::string token = jwt("{\"x\":\"" + std::string(50'000, 'x') + "\",\"sub\":\"me\"}");
  ASSERT_GT(token.size(), HeaderCredentialReader::kJwtBytesMax);
  const Caller caller = bearer(token);
  EXPECT_EQ(caller.kind, CredentialKind::kApiKey);
  EXPECT_EQ(caller.key_id.view().size(), 32u);
}

TEST(CredentialReader, BrokenTokensAreKeys) {
  const std::string good = jwt(R"({"sub":"me"})");
  const std::string header = base64url(R"({"alg":"RS256"})");
  const std::vector<std::string> tokens = {header + ".!!!!.c2ln",
                                           header + "." + base64url("[]") + ".c2ln",
                                           header + "." + base64url(R"({"sub":"me")") + ".c2ln",
                                           "a.b.c",
                                           "..",
                                           header + "..",
                                           header + ".",
                                           "@@." + base64url("{}") + ".x",
                                           good + ".fourth.fifth",
                                           header + "." + base64url(R"({"sub":"me"})") + "A.c2ln"};
  for (const std::string& token : tokens) {
    const Caller caller = bearer(token);
    EXPECT_EQ(caller.kind, CredentialKind::kApiKey) << token;
    EXPECT_EQ(caller.key_id.view().size(), 32u) << token;
    EXPECT_TRUE(caller.subject.empty()) << token;
  }
}

TEST(CredentialReader, ADuplicateSubjectNamesNobody) {
  const Caller caller = bearer(jwt(R"({"sub":"a","sub":"b","iss":"i"})"));
  EXPECT_EQ(caller.kind, CredentialKind::kJwt);
  EXPECT_TRUE(caller.subject.empty());
  EXPECT_EQ(caller.issuer.view(), "i");
  EXPECT_FALSE(caller.key_id.empty()) << "the calls of this token still belong together";
}

TEST(CredentialReader, ATokenThatNamesNobodyHasAKeyId) {
  const std::string token = jwt(R"({"exp":1})");
  EXPECT_EQ(bearer(token).key_id.view(), bearer(token).key_id.view());
  EXPECT_NE(bearer(token).key_id.view(), bearer(jwt(R"({"exp":2})")).key_id.view());
  EXPECT_TRUE(bearer(jwt(R"({"azp":"app"})")).key_id.empty());
}

TEST(CredentialReader, ThePreferredApplicationClaimWins) {
  EXPECT_EQ(bearer(jwt(R"({"cid":"d","client_id":"c","azp":"b","appid":"a"})")).application.view(),
            "a");
  EXPECT_EQ(bearer(jwt(R"({"cid":"d","client_id":"c"})")).application.view(), "c");
  EXPECT_EQ(bearer(jwt(R"({"cid":"d"})")).application.view(), "d");
}

TEST(CredentialReader, CutsLongSubjectsAndSaysSo) {
  const Caller caller = bearer(jwt("{\"sub\":\"" + std::string(400, 's') + "\"}"));
  EXPECT_EQ(caller.subject.view(), std::string(256, 's'));
  EXPECT_TRUE(caller.subject.was_cut());
}

TEST(Privacy, AutoHashesAddressesOnly) {
  const auto subject = [](std::string_view sub, SubjectPrivacy privacy) {
    return std::string(
        bearer(jwt("{\"sub\":\"" + std::string(sub) + "\"}"), privacy).subject.view());
  };
  EXPECT_EQ(subject("svc-1", SubjectPrivacy::kAuto), "svc-1");
  EXPECT_EQ(subject("a@b.c", SubjectPrivacy::kPlain), "a@b.c");
  const std::string hashed = subject("a@b.c", SubjectPrivacy::kAuto);
  EXPECT_TRUE(hashed.starts_with("h:")) << hashed;
  EXPECT_EQ(hashed.size(), 34u);
  EXPECT_EQ(hashed, subject("a@b.c", SubjectPrivacy::kHash));
  EXPECT_NE(hashed, subject("d@b.c", SubjectPrivacy::kHash));
  EXPECT_TRUE(subject("svc-1", SubjectPrivacy::kHash).starts_with("h:"));
  EXPECT_EQ(subject("", SubjectPrivacy::kHash), "");
}

TEST(Privacy, AnApplicationIsHashedOnlyIfItIsAnAddress) {
  const auto application = [](std::string_view azp, SubjectPrivacy privacy) {
    return std::string(
        bearer(jwt("{\"azp\":\"" + std::string(azp) + "\"}"), privacy).application.view());
  };
  EXPECT_EQ(application("app", SubjectPrivacy::kHash), "app");
  EXPECT_TRUE(application("a@b.c", SubjectPrivacy::kAuto).starts_with("h:"));
  EXPECT_EQ(application("a@b.c", SubjectPrivacy::kPlain), "a@b.c");
}

TEST(Privacy, ASubjectsHashIsNotAKeysHash) {
  const std::string subject(bearer(jwt(R"({"sub":"x"})"), SubjectPrivacy::kHash).subject.view());
  EXPECT_NE(subject.substr(2), key_id_of("x-api-key", "x"));
}

TEST(Privacy, NothingOfACredentialStaysInTheCaller) {
  const std::string canary = "sk-canary-1234567890";
  const std::string token =
      jwt(R"({"sub":"a@canary.example"})", R"({"alg":"x"})", "canary_signature");
  for (const Caller& caller :
       {read({{"x-api-key", canary}}), bearer(token, SubjectPrivacy::kAuto)}) {
    const std::string_view memory(reinterpret_cast<const char*>(&caller), sizeof caller);
    EXPECT_EQ(memory.find("canary"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace wiretally::identity
