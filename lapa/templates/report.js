// Videos of one start begin together, and again when the longest has ended; a click stops and starts that start.
// Readers who ask their system for less motion start them with the button.
const films = [...document.querySelectorAll(".film")].map((figure) => [...figure.querySelectorAll("video")]);
const start = (videos) => videos.forEach((video) => { video.currentTime = 0; video.play().catch(() => {}); });
const goOn = (videos) => videos.every((video) => video.ended) ? start(videos)
  : videos.forEach((video) => { if (!video.ended) video.play().catch(() => {}); });
const stop = (videos) => videos.forEach((video) => video.pause());
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

for (const videos of films) {
  for (const video of videos) {
    // Small pictures are shown as the policy sees them, not blurred.
    video.addEventListener("loadedmetadata", () => video.classList.toggle("coarse", video.videoWidth <= 96), { once: true });
    video.addEventListener("ended", () => {
      if (videos.every((other) => other.ended)) setTimeout(() => { if (videos.every((other) => other.ended)) start(videos); }, 900);
    });
    video.addEventListener("click", () => (videos.some((other) => !other.paused) ? stop(videos) : goOn(videos)));
  }
}

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const videos = [...entry.target.querySelectorAll("video")];
    if (entry.isIntersecting && !still) goOn(videos); else if (!entry.isIntersecting) stop(videos);
  }
}, { threshold: 0.2 });
document.querySelectorAll(".film").forEach((figure) => sight.observe(figure));
document.querySelector("#again")?.addEventListener("click", () => films.forEach(start));
